"""What a wall of drafts consists of."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagen_core.drafts import Drafts
from imagen_core.recipe import Recipe, RecipeError

RECIPE = Recipe(prompt="an apple", seed=7)


def test_without_variations_the_seeds_are_in_a_row() -> None:
    drafts = Drafts(RECIPE, 64)
    assert [drafts.recipe_of(i).seed for i in range(64)] == list(range(7, 71))
    assert drafts.recipe_of(3) == RECIPE.updated({"seed": 10})


def test_variations_share_their_noise() -> None:
    drafts = Drafts(RECIPE, 5, ("red", "blue"))
    told = [(recipe.prompt, recipe.seed) for recipe in map(drafts.recipe_of, range(5))]
    assert told == [("red", 7), ("blue", 7), ("red", 8), ("blue", 8), ("red", 9)]


def test_seeds_of_stages_move_too_and_wrap_around() -> None:
    recipe = RECIPE.updated({"seed": 2**32 - 1, "base": {"seed": 5}, "sr256": {"seed": 2**32 - 1}})
    moved = Drafts(recipe, 2).recipe_of(1)
    assert (moved.seed, moved.base.seed, moved.sr256.seed, moved.sr1024.seed) == (0, 6, 0, None)


def test_number_of_images_in_the_form_does_not_count() -> None:
    assert Drafts(RECIPE.updated({"num_images": 16}), 64).recipe_of(63).num_images == 1


@given(st.integers(1, 64), st.integers(1, 9), st.integers(1, 64))
def test_batches_hold_every_draft_once_with_its_noise(count: int, prompts: int, size: int) -> None:
    words = tuple("abcdefghi"[: min(prompts, count)])
    drafts = Drafts(RECIPE, count, words)
    seen: Counter[int] = Counter()
    for batch in drafts.batches(size):
        assert 1 <= len(batch.drafts) == batch.recipe.num_images <= size
        for place, draft in enumerate(batch.drafts):
            alone, together = drafts.recipe_of(draft), batch.recipe.for_image(place)
            assert together.stage_key("base") == alone.stage_key("base")
            seen[draft] += 1
    assert seen == Counter(range(count))


@pytest.mark.parametrize(
    ("recipe", "count", "prompts", "field"),
    [
        (RECIPE, 0, (), "num_drafts"),
        (RECIPE, 65, (), "num_drafts"),
        (RECIPE, 1.0, (), "num_drafts"),
        (RECIPE, True, (), "num_drafts"),
        (RECIPE, 2, ("a", "b", "c"), "num_drafts"),
        (RECIPE, 2, ("a\0",), "prompt"),
        (RECIPE.updated({"base": {"prompt": "own"}}), 2, ("a", "b"), "base.prompt"),
    ],
)
def test_what_is_refused(recipe: Recipe, count: int, prompts: tuple[str, ...], field: str) -> None:
    with pytest.raises(RecipeError) as told:
        Drafts(recipe, count, prompts)
    assert told.value.field == field


def test_draft_that_is_not_there() -> None:
    with pytest.raises(IndexError):
        Drafts(RECIPE, 4).recipe_of(4)
