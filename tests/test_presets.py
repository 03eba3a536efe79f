"""Presets: the models that can be asked for by name."""

from __future__ import annotations

import pytest

from imagen_core.presets import PRESETS, UPSCALER, UPSCALER_SR1024, preset
from imagen_core.recipe import Recipe, RecipeError


def test_every_preset_is_told_in_full_and_has_a_recipe_for_itself() -> None:
    for name, known in PRESETS.items():
        assert preset(name) is known
        assert known.name == name == known.recipe.model
        assert known.title
        assert known.licence
        assert known.licence_url.startswith("https://")
        assert known.description.endswith(".")
        assert known.recipe.prompt == ""
        assert known.size_mb > 0


def test_the_default_recipe_is_that_of_the_bundled_model() -> None:
    assert preset("bundled").recipe == Recipe()


def test_an_unknown_preset_is_told_in_a_sentence() -> None:
    with pytest.raises(
        RecipeError,
        match=r"^model must be one of bundled, deepfloyd-if-m, deepfloyd-if-l, deepfloyd-if-xl, deepfloyd-if-m-x4, ",
    ):
        preset("dall-e")


def test_the_large_models_are_told_with_their_repositories_and_licence() -> None:
    repositories = {name: known.repositories for name, known in PRESETS.items() if known.fetched}
    plain = {name: known for name, known in repositories.items() if not name.endswith("-x4")}
    assert repositories == {
        "deepfloyd-if-m": {"base": "DeepFloyd/IF-I-M-v1.0", "sr256": "DeepFloyd/IF-II-M-v1.0"},
        "deepfloyd-if-l": {"base": "DeepFloyd/IF-I-L-v1.0", "sr256": "DeepFloyd/IF-II-M-v1.0"},
        "deepfloyd-if-xl": {"base": "DeepFloyd/IF-I-XL-v1.0", "sr256": "DeepFloyd/IF-II-L-v1.0"},
    } | {f"{name}-x4": {**both, "sr1024": UPSCALER} for name, both in plain.items()}
    for name in repositories:
        assert "non-commercial" in PRESETS[name].licence
        assert ("Open RAIL++-M" in PRESETS[name].licence) == name.endswith("-x4")
        recipe = PRESETS[name].recipe
        third = UPSCALER_SR1024 if name.endswith("-x4") else Recipe().sr1024
        assert (recipe.base.planned_steps, recipe.sr256.aug_level, recipe.sr1024) == (50, 0.25, third)
        assert Recipe.from_link(recipe.to_link()) == recipe
