"""Forks as values: their one form, there and back, what keys and costs they have."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagen_core.fork import MAX_GENERATIONS, Fork, drawn_by, lineage
from imagen_core.images import to_pil
from imagen_core.metadata import read_recipe, to_png
from imagen_core.recipe import MAX_COST, MAX_JSON_LENGTH, STAGES, Recipe, RecipeError
from tests.any_recipes import recipes, stage_recipes

PARENT = Recipe(prompt="a dog", seed=5)


@st.composite
def forks(draw: st.DrawFn) -> Recipe:
    """A recipe of one to three generations of parents."""
    recipe = replace(draw(recipes), num_images=draw(st.integers(1, 3)))
    for _ in range(draw(st.integers(1, 3))):
        stage = draw(st.sampled_from(recipe.stages()))
        step = draw(st.integers(0, recipe.planned_steps(stage) - 1))
        last = draw(st.sampled_from(STAGES[STAGES.index(stage) :]))
        values = replace(draw(recipes), num_images=recipe.num_images, model=recipe.model, last_stage=last)
        kept = {name: recipe.stage(name) for name in STAGES[: STAGES.index(stage)]}
        again = {name: draw(stage_recipes(name)) for name in STAGES[STAGES.index(stage) :]}
        with contextlib.suppress(RecipeError):  # it can cost too much
            recipe = replace(values, **kept, **again, fork=Fork(recipe, stage, step))
    return recipe


# There and back


@given(forks())
@settings(max_examples=60, deadline=None)
def test_json_link_and_image_0_give_back_the_same_fork(recipe: Recipe) -> None:
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_link(recipe.to_link()) == recipe
    assert Recipe.from_link("?" + recipe.to_link()) == recipe
    assert hash(Recipe.from_json(recipe.to_json())) == hash(recipe)
    assert recipe.for_image(0) == replace(recipe.for_image(0), num_images=1)
    if recipe.num_images == 1:
        assert recipe.for_image(0) == recipe


def test_a_link_adds_the_place_and_what_the_parent_has_otherwise() -> None:
    fork = PARENT.forked("base", 7, {"prompt": "a cat", "sr256": {"seed": 4}})
    text = fork.to_link()
    assert "&fork=base.7.restored&parent.prompt=a+dog&parent.sr256.seed=&base.num_steps=" in text
    without = replace(fork, fork=None).to_link()
    assert text.replace("&fork=base.7.restored&parent.prompt=a+dog&parent.sr256.seed=", "") == without
    grandchild = fork.forked("sr256", 2, {"prompt": "a pig"})
    assert "&fork=sr256.2.restored&parent.prompt=a+cat&parent.fork=base.7.restored&" in grandchild.to_link()
    assert "&parent.parent.prompt=a+dog&" in grandchild.to_link()


def test_a_cut_off_link_of_a_fork_is_refused() -> None:
    text = PARENT.forked("base", 7, {"seed": 12}).to_link()
    for length in range(len(text) - 1, text.index("fork"), -1):
        with pytest.raises(RecipeError):
            Recipe.from_link(text[:length])


def test_ordinary_links_are_short() -> None:
    recipe = Recipe(prompt="three blue stars above a green turtle on a beach, flat illustration, " * 3)
    for step, prompt in enumerate(("a dog in the snow", "a cat in the snow", "a horse on a meadow at night", "a tree")):
        recipe = recipe.forked("base", 3 + 3 * step, {"prompt": prompt, "base": {"guidance_scale": 2.5 + step}})
    assert len(recipe.to_link()) <= 2000


def test_a_link_typed_by_hand_can_hold_a_fork() -> None:
    recipe = Recipe.from_link("prompt=a+cat&fork=base.7&parent.prompt=a+dog")
    assert recipe == Recipe(prompt="a dog").forked("base", 7, {"prompt": "a cat"})


def test_recipes_without_a_fork_are_written_as_ever() -> None:
    assert "fork" not in PARENT.to_dict()
    assert "fork" not in PARENT.to_link()
    assert Recipe.from_json('{"fork": null}') == Recipe()


def test_a_png_carries_a_fork() -> None:
    import torch

    fork = PARENT.forked("base", 7, {"prompt": "a cat"}).forked("sr1024", 1, {"prompt": "a pig"})
    assert read_recipe(to_png(to_pil(torch.zeros(1, 3, 8, 8))[0], fork)) == fork


def test_the_longest_recipe_fits_its_json() -> None:
    """Quotation marks are written as two characters; of six of them one could not be read back."""
    recipe = Recipe().updated({"base": {"guidance_scale": 29.123456789012345}})
    for generation in range(MAX_GENERATIONS):
        text = str(generation) + '"' * 999
        stages = {name: {"prompt": text, "seed": 2**32 - 1} for name in STAGES}
        second = {"second_prompt": text, "second_share": 0.123456789012345}
        values = {"prompt": text, "negative_prompt": text} | second | stages
        recipe = replace(recipe.updated(values), fork=recipe.fork).forked("base", generation + 1, values)
    assert len(recipe.to_json()) < MAX_JSON_LENGTH
    assert Recipe.from_json(recipe.to_json()) == recipe
    with pytest.raises(RecipeError, match=r"^fork must have at most 7 generations of parents\.$"):
        recipe.forked("base", 15, {})


# What it means


def test_the_place_splits_a_run_between_its_recipes() -> None:
    fork = PARENT.forked("sr256", 2, {"prompt": "a cat"})
    assert drawn_by(fork, "base") is drawn_by(fork, "sr256", 1) is fork.fork.parent  # type: ignore[union-attr]
    assert drawn_by(fork, "sr256", 2) is drawn_by(fork, "sr1024", 0) is fork
    grandchild = fork.forked("sr256", 4, {"prompt": "a pig"})
    assert [(recipe.prompt, start) for recipe, start in lineage(grandchild, "sr256")] == [
        ("a dog", 0),
        ("a cat", 2),
        ("a pig", 4),
    ]
    assert [(recipe.prompt, start) for recipe, start in lineage(grandchild, "base")] == [("a dog", 0)]
    assert [(recipe.prompt, start) for recipe, start in lineage(grandchild, "sr1024")] == [("a pig", 0)]


def test_a_fork_before_its_parents_own_place_is_the_grandparents() -> None:
    fork = PARENT.forked("sr256", 2, {"prompt": "a cat"})
    for stage, step in (("base", 3), ("base", 0), ("sr256", 0), ("sr256", 2)):
        early = fork.forked(stage, step, {"prompt": "a pig"})
        assert early == PARENT.forked(stage, step, {"prompt": "a pig"})
    assert fork.forked("sr256", 3, {}).fork.parent == fork  # type: ignore[union-attr]


def test_keys_are_the_parents_before_the_place_and_others_behind_it() -> None:
    fork = PARENT.forked("sr256", 2, {})
    assert fork.stage_key("base") == PARENT.stage_key("base")
    keys = {recipe.stage_key("sr256") for recipe in (PARENT, fork, PARENT.forked("sr256", 3, {}))}
    keys.add(PARENT.forked("sr256", 2, {"prompt": "a cat"}).stage_key("sr256"))
    keys.add(replace(fork, fork=replace(fork.fork, history="restarted")).stage_key("sr256"))  # type: ignore[type-var]
    other_parent = replace(PARENT, prompt="a bird").forked("sr256", 2, {"prompt": "a dog"})
    keys.add(other_parent.stage_key("sr256"))
    assert len(keys) == 6
    later = fork.updated({"sr1024": {"num_steps": 9}})
    assert later.stage_key("sr256") == fork.stage_key("sr256")
    assert later.stage_key("sr1024") != fork.stage_key("sr1024")


def test_what_a_parent_has_behind_the_place_is_in_no_key() -> None:
    first = PARENT.forked("base", 5, {"prompt": "a cat"})
    second = PARENT.updated({"sr256": {"num_steps": 9}}).forked(
        "base", 5, {"prompt": "a cat", "sr256": {"num_steps": 6}}
    )
    assert first != second
    assert all(first.stage_key(name) == second.stage_key(name) for name in STAGES)


def test_image_i_alone_has_the_parents_seeds_moved_too() -> None:
    parent = replace(PARENT, num_images=3).updated({"sr256": {"seed": 10}})
    fork = parent.forked("base", 4, {"seed": 2**32 - 1})
    alone = fork.for_image(2)
    assert (alone.seed, alone.num_images, alone.sr256.seed) == (1, 1, 12)
    assert alone.fork is not None
    assert alone.fork.parent == parent.for_image(2)


def test_history_is_restored_where_the_scheduler_stays() -> None:
    def history(step: int, changes: dict[str, object]) -> str | None:
        fork = PARENT.forked("base", step, changes).fork
        assert fork is not None
        return fork.history

    assert history(7, {}) == history(7, {"base": {"num_steps": 40, "spacing": "trailing"}}) == "restored"
    assert history(7, {"base": {"scheduler": "ddim"}}) == history(0, {}) == "restarted"
    # Who drew the steps before counts, not who drew those behind the place.
    child = PARENT.forked("base", 3, {"base": {"scheduler": "unipc"}})
    fork = replace(child, fork=Fork(child, "base", 3)).fork
    assert fork is not None
    assert fork.history == "restarted"


def test_the_cost_counts_every_step_once() -> None:
    assert PARENT.forked("base", 7, {}).cost == PARENT.cost
    assert PARENT.forked("base", 7, {"base": {"num_steps": 40}}).planned_steps("base") == 47
    child = PARENT.forked("base", 7, {"base": {"num_steps": 40}})
    assert child.forked("base", 20, {}).planned_steps("base") == 47
    assert child.forked("base", 20, {"base": {"num_steps": 10}}).planned_steps("base") == 30
    assert child.forked("base", 20, {"base": {"spacing": "fast27"}}).planned_steps("base") == 47
    listed = PARENT.updated({"base": {"spacing": "fast27"}}).forked("base", 7, {"base": {"num_steps": 40}})
    assert listed.planned_steps("base") == 27  # was 34, though num_steps means nothing there
    most = {stage: {"num_steps": 250} for stage in STAGES}
    parent = Recipe(num_images=13).updated(most)
    assert parent.cost + 13 * 249 > MAX_COST
    with pytest.raises(RecipeError, match=r"^num_images of 13 costs 22,737 steps of work where 20,000 are allowed: "):
        parent.forked("base", 249, {"base": {"spacing": "trailing"}})
