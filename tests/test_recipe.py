"""Recipes: there and back through JSON and links, and what their stages share."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagen_core.recipe import (
    STAGES,
    Recipe,
    RecipeError,
    StageRecipe,
)
from tests.any_recipes import any_text, assert_recipe_or_error, json_values, names, recipes


@given(recipes)
@settings(max_examples=100, deadline=None)
def test_json_dict_and_link_give_back_the_same_recipe(recipe: Recipe) -> None:
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert Recipe.from_link(recipe.to_link()) == recipe
    assert Recipe.from_link("?" + recipe.to_link()) == recipe
    assert Recipe.from_link(dict(parse_qsl(recipe.to_link(), keep_blank_values=True))) == recipe
    assert hash(Recipe.from_json(recipe.to_json())) == hash(recipe)


@given(any_text | any_text.map(lambda text: "{" + text) | json_values.map(json.dumps))
@settings(max_examples=200, deadline=None)
def test_any_json_is_a_recipe_or_a_recipe_error(text: str) -> None:
    assert_recipe_or_error(lambda: Recipe.from_json(text))


@given(st.dictionaries(st.sampled_from(["version", "prompt", "seed", *STAGES]) | any_text, json_values, max_size=4))
@settings(max_examples=200, deadline=None)
def test_any_values_are_a_recipe_or_a_recipe_error(values: dict[str, object]) -> None:
    assert_recipe_or_error(lambda: Recipe.from_dict(values))


@given(
    any_text
    | st.lists(st.tuples(names, any_text)).map(lambda pairs: "&".join(f"{name}={text}" for name, text in pairs))
)
@settings(max_examples=300, deadline=None)
def test_any_link_is_a_recipe_or_a_recipe_error(text: str) -> None:
    assert_recipe_or_error(lambda: Recipe.from_link(text))


@given(recipes, st.integers(0, 2000), any_text)
@settings(max_examples=100, deadline=None)
def test_a_link_with_a_piece_put_in_is_a_recipe_or_a_recipe_error(recipe: Recipe, position: int, piece: str) -> None:
    text = recipe.to_link()
    assert_recipe_or_error(lambda: Recipe.from_link(text[:position] + piece + text[position:]))


def test_stages_end_at_the_last_one() -> None:
    assert Recipe().stages() == STAGES
    assert Recipe(last_stage="base").stages() == ("base",)
    assert Recipe().stage("sr256") == Recipe().sr256
    with pytest.raises(RecipeError, match=r"^stage must be one of base, sr256, sr1024, not 'sr512'\.$"):
        Recipe().stage("sr512")


@pytest.mark.parametrize("name", STAGES)
def test_a_whole_stage_takes_the_place_of_one(name: str) -> None:
    stage = StageRecipe(num_steps=9, guidance_scale=3.0)
    changed = Recipe(seed=7).updated({name: stage})
    assert changed == replace(Recipe(seed=7), **{name: stage})
    assert changed.forked(name, 2, {name: replace(stage, guidance_scale=5.0)}).stage(name).guidance_scale == 5
    with pytest.raises(RecipeError, match=rf"^{name} must be an object with names and values, not 9\.$"):
        Recipe().updated({name: 9})


def test_a_whole_stage_obeys_the_rules_of_its_place() -> None:
    with pytest.raises(RecipeError, match=r"^base\.aug_level must be 0"):
        Recipe().updated({"base": StageRecipe(num_steps=9, aug_level=0.1)})


@pytest.mark.parametrize("name", STAGES)
def test_the_key_of_a_stage_has_nothing_of_later_stages(name: str) -> None:
    recipe, position = Recipe(prompt="x"), STAGES.index(name)
    for other in STAGES:
        changed = recipe.updated({other: {"num_steps": 99}})
        assert (changed.stage_key(name) == recipe.stage_key(name)) == (STAGES.index(other) > position)
    assert replace(recipe, last_stage="sr256").stage_key(name) == recipe.stage_key(name)
    for field, value in {"prompt": "y", "seed": 1, "num_images": 2, "model": "m", "negative_prompt": "z"}.items():
        assert recipe.updated({field: value}).stage_key(name) != recipe.stage_key(name)
    assert hash(recipe.stage_key(name)) == hash(Recipe(prompt="x").stage_key(name))


@pytest.mark.parametrize(
    ("of_recipe", "change", "equal"),
    [
        ({"thresholding": "static"}, {"percentile": 80}, True),
        ({"thresholding": "dynamic"}, {"percentile": 80}, False),
        ({"thresholding": "dynamic"}, {"thresholding": "static"}, False),
        ({"spacing": "smart50"}, {"num_steps": 9}, True),
        ({"spacing": "smart50"}, {"spacing": "logsnr", "num_steps": 50}, False),
        ({"spacing": "fast27"}, {"spacing": "smart27"}, False),
        ({"guidance_scale": 1}, {"guidance_end": 0.5}, True),
        ({"guidance_scale": 2}, {"guidance_end": 0.5}, False),
        ({"guidance_scale": 2}, {"guidance_scale": 1}, False),
        ({"guidance_start": 1}, {"guidance_scale": 7}, True),
        ({"guidance_scale": 0}, {"guidance_end": 0.5}, False),
    ],
)
def test_the_key_of_a_stage_has_no_setting_that_changes_no_pixel(
    of_recipe: dict[str, object], change: dict[str, object], equal: bool
) -> None:
    recipe = Recipe(prompt="x").updated({"sr256": {"guidance_end": 1, **of_recipe}})
    changed = recipe.updated({"sr256": change})
    for name in ("sr256", "sr1024"):
        assert (changed.stage_key(name) == recipe.stage_key(name)) == equal
    assert changed.stage_key("base") == recipe.stage_key("base")


def test_a_negative_prompt_is_in_the_keys_from_the_first_guided_stage_on() -> None:
    recipe = Recipe(prompt="x").updated({"base": {"guidance_scale": 1}, "sr256": {"guidance_scale": 2}})
    changed = replace(recipe, negative_prompt="y")
    assert [changed.stage_key(name) == recipe.stage_key(name) for name in STAGES] == [True, False, False]


def test_a_stage_of_its_own_prompt_and_seed_equals_the_recipe_of_these() -> None:
    recipe = Recipe(prompt="x", seed=5)
    own = Recipe(prompt="y", seed=6).updated({"base": {"prompt": "x", "seed": 5}})
    assert own.stage_key("base") == recipe.stage_key("base")
    assert own.stage_key("sr256") != recipe.stage_key("sr256")


def test_image_i_alone_has_every_seed_moved_by_i() -> None:
    recipe = Recipe(seed=2**32 - 1, num_images=3).updated({"sr256": {"seed": 10}})
    alone = recipe.for_image(2)
    assert (alone.seed, alone.num_images, alone.base.seed, alone.sr256.seed) == (1, 1, None, 12)
    assert recipe.for_image(0) == replace(recipe, num_images=1)
    with pytest.raises(IndexError, match="image 3 of 3"):
        recipe.for_image(3)


def test_the_cost_counts_the_steps_of_a_named_list_and_not_num_steps() -> None:
    recipe = Recipe().updated({"base": {"spacing": "smart185", "num_steps": 1}, "sr256": {"spacing": "fast27"}})
    assert recipe.cost == 185 + 27 + 4 * Recipe().sr1024.num_steps
    lists = {stage: {"spacing": "smart185", "num_steps": 1} for stage in ("base", "sr256")}
    with pytest.raises(RecipeError, match=r"allowed: lower it, or base\.spacing of smart185\.$"):
        Recipe(last_stage="sr256").updated(lists | {"num_images": 64})
