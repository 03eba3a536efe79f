"""Links that open the page."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from imagen_core.recipe import Recipe, RecipeError
from imagen_core.ui.opening import REPLAY_COST, recipe_in_address


def test_link_in_the_address_is_the_recipe() -> None:
    recipe = Recipe(prompt='a "red" apple & <b>Ärger</b> 犬', seed=7, num_images=2)
    query = parse_qsl(recipe.to_link(), keep_blank_values=True)
    assert recipe_in_address(query) == (recipe, None)
    assert recipe_in_address([("__theme", "dark"), *query, ("utm_source", "mail"), ("fbclid", "x"), ("igsh", "y")]) == (
        recipe,
        None,
    )


@pytest.mark.parametrize(
    "name", ["msclkid", "igsh", "si", "share", "vero_id", "_branch_match_id", "campaign", "s", "t"]
)
def test_what_a_site_adds_to_a_link_of_ours_is_passed_over(name: str) -> None:
    recipe = Recipe(prompt="a", seed=7)
    query = parse_qsl(recipe.to_link(), keep_blank_values=True)
    assert recipe_in_address([*query, (name, "x.y")]) == (recipe, None)


@pytest.mark.parametrize(
    "name", ["promt", "sead", "Seed", "negative_promt", "numimages", "base.steps", "chek", "forks"]
)
def test_a_misspelt_name_in_a_link_of_ours_is_told(name: str) -> None:
    query = parse_qsl(Recipe(prompt="a").to_link(), keep_blank_values=True)
    with pytest.raises(RecipeError, match=name):
        recipe_in_address([*query, (name, "7")])


def test_address_without_a_recipe_opens_nothing() -> None:
    assert recipe_in_address([]) is None
    assert recipe_in_address([("__theme", "dark"), ("view", "api")]) is None


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ([("prompt", "a"), ("colour", "red")], "colour"),
        ([("prompt", "a"), ("prompt", "b")], "twice"),
        ([("prompt", "a"), ("seed", "1.5")], "seed"),
        ([("prompt", "a"), ("version", "2")], "version"),
        ([("prompt", "a"), ("num_images", "64"), ("sr1024.num_steps", "250")], "num_images"),
    ],
)
def test_broken_links_are_refused(query: list[tuple[str, str]], problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        recipe_in_address(query)


def test_only_short_runs_begin_by_themselves() -> None:
    assert Recipe().cost <= REPLAY_COST
    assert Recipe(num_images=16).cost > REPLAY_COST
    assert Recipe(last_stage="base").cost == Recipe().base.num_steps
