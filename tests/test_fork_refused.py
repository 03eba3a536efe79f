"""What cannot be a fork is refused, at every door with the same sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagen_core.fork import HISTORIES, Fork
from imagen_core.recipe import RULES, STAGES, Recipe, RecipeError
from tests.any_recipes import any_text, assert_recipe_or_error, json_values

PARENT = Recipe(prompt="a dog", seed=5).updated({"base": {"guidance_scale": 2.0}})
PLACE = {"stage": "base", "step": 1}
FORM = "must be a stage, a number of steps and what is done with the history, base.7.restored, not"


@pytest.mark.parametrize(
    ("stage", "step", "changes", "sentence"),
    [
        ("sr512", 1, {}, "fork.stage must be one of base, sr256, sr1024, not 'sr512'."),
        ("base", -1, {}, "fork.step must be a whole number from 0 to 999, not -1."),
        ("base", 1.0, {}, "fork.step must be a whole number from 0 to 999, not 1.0."),
        ("base", True, {}, "fork.step must be a whole number from 0 to 999, not true."),
        ("base", 24, {}, "fork.step must be below 24, the steps of base in the parent, not 24."),
        ("base", 3, {"num_images": 2}, "num_images must be 1 as in the fork's parent, not 2."),
        ("base", 3, {"model": "other"}, "model must be 'bundled' as in the fork's parent, not 'other'."),
        (
            "sr256",
            3,
            {"base": {"guidance_scale": 4}},
            "base.guidance_scale must be 2.0 as in the fork's parent, not 4.0, for the fork begins in sr256.",
        ),
        ("sr256", 3, {"last_stage": "base"}, "fork.stage must be a stage that the fork draws, not sr256."),
    ],
)
def test_a_fork_that_cannot_be_is_told_in_a_sentence(
    stage: str, step: int, changes: dict[str, object], sentence: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        replace(replace(PARENT).updated(changes), fork=Fork(PARENT, stage, step))
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("fork", "sentence"),
    [
        (3, "fork must be an object with names and values, not 3."),
        ({}, "fork.parent is missing."),
        ({"parent": {}, "stage": "base"}, "fork.step is missing."),
        ({"parent": 3, **PLACE}, "fork.parent must be an object with names and values, not 3."),
        ({"parent": {}, **PLACE, "x": 1}, "fork.x is not among the known names parent, stage, step, history."),
        ({"parent": {"prompt": -1}, **PLACE}, "fork.parent.prompt must be text, not -1."),
        ({"parent": {}, "stage": ["base"], "step": 1}, "fork.stage must be one of base, sr256, sr1024, not a list."),
        ({"parent": {}, **PLACE, "history": 0}, "fork.history must be one of restored, restarted, not 0."),
        (
            {"parent": {"base": {"scheduler": "ddim"}}, **PLACE, "history": "restored"},
            "fork.history must be restarted, not restored, because the scheduler changes from ddim to ddpm.",
        ),
        (
            {"parent": {}, "stage": "base", "step": 0, "history": "restored"},
            "fork.history must be restarted, not restored, because no step is kept.",
        ),
        (
            {"parent": {"last_stage": "base"}, "stage": "sr256", "step": 1},
            "fork.stage must be a stage that the parent draws, not sr256.",
        ),
    ],
)
def test_a_bad_fork_in_json_is_told_in_a_sentence(fork: object, sentence: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_json(json.dumps({"fork": fork}))
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("fork=base", f"fork {FORM} 'base'."),
        ("fork=", f"fork {FORM} ''."),
        ("fork=base.x", "fork.step must be a whole number from 0 to 999, not 'x'."),
        ("fork=base.3.kept", "fork.history must be one of restored, restarted, not 'kept'."),
        ("fork=base.3&parent.seed=", "fork.parent.seed must be a whole number from 0 to 4294967295, not ''."),
        ("fork=base.3&fork.step=3", "fork must not come as a whole and in parts."),
        (
            "fork=base.3&parent.prompt=%00",
            "fork.parent.prompt must not hold a control character (U+0000, character 1).",
        ),
    ],
)
def test_a_bad_fork_in_a_link_is_told_in_a_sentence(query: str, sentence: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_link(query)
    assert str(caught.value) == sentence


def test_a_fork_s_changes_hold_no_fork() -> None:
    with pytest.raises(RecipeError, match="fork must not be among a fork's changes"):
        PARENT.forked("base", 3, {"fork": None})


def test_a_parent_without_a_fork_is_unknown() -> None:
    for query in ("parent.seed=3", "parent.fork=base.3", "fork=base.3&parent.parent.seed=3"):
        with pytest.raises(RecipeError, match=r"^(fork\.parent\.)?parent is not among the known names "):
            Recipe.from_link(query)


def test_parents_without_end_are_refused() -> None:
    link = "fork=base.3" + "".join(f"&{'parent.' * depth}fork=base.3" for depth in range(1, 28))
    with pytest.raises(RecipeError, match=r"^fork must have at most 7 generations of parents\.$"):
        Recipe.from_link(link)
    text = '{"fork": {"stage": "base", "step": 1, "parent": ' * 100 + "{}" + "}}" * 100
    with pytest.raises(RecipeError, match=r"^fork must have at most 7 generations of parents\.$"):
        Recipe.from_json(text)
    with pytest.raises(RecipeError, match=r"^fork must be a Fork, not a dict\.$"):
        Recipe(fork={"stage": "base"})  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match=r"^fork\.parent must be a Recipe, not null\.$"):
        Recipe(fork=Fork(None, "base", 1))  # type: ignore[arg-type]


fork_names = st.sampled_from(["fork", "parent.fork", "parent.seed", "parent.parent.prompt", *sorted(RULES)]) | any_text
fork_texts = st.sampled_from(["base.3", "sr256.2.restored", "base.0.restarted", "", "3"]) | any_text


@given(st.lists(st.tuples(fork_names, fork_texts), max_size=8))
@settings(max_examples=200, deadline=None)
def test_any_link_with_a_fork_is_a_recipe_or_a_recipe_error(pairs: list[tuple[str, str]]) -> None:
    assert_recipe_or_error(lambda: Recipe.from_link("&".join(f"{name}={text}" for name, text in pairs)))


@given(
    st.recursive(
        json_values,
        lambda inner: st.fixed_dictionaries(
            {"stage": st.sampled_from(STAGES), "step": st.integers(0, 20)},
            optional={
                "parent": st.dictionaries(st.sampled_from(["fork", "seed", "base"]), inner, max_size=2),
                "history": st.sampled_from(HISTORIES),
            },
        ),
        max_leaves=4,
    )
)
@settings(max_examples=150, deadline=None)
def test_any_fork_is_a_recipe_or_a_recipe_error(fork: object) -> None:
    assert_recipe_or_error(lambda: Recipe.from_dict({"fork": fork}))


def test_the_helper_of_these_tests_can_fail() -> None:
    def breaks() -> Recipe:
        raise KeyError

    with pytest.raises(KeyError):
        assert_recipe_or_error(breaks)


def test_checks_are_those_of_every_door() -> None:
    doors: list[Callable[[], Recipe]] = [
        lambda: PARENT.forked("base", 99, {}),
        lambda: PARENT.updated({"fork": {"parent": {}, "stage": "base", "step": 99}}),
        lambda: replace(PARENT, fork=Fork(PARENT, "base", 99)),
        lambda: Recipe.from_link("fork=base.99"),
    ]
    for door in doors:
        with pytest.raises(
            RecipeError, match=r"^fork\.step must be below 24, the steps of base in the parent, not 99\.$"
        ):
            door()
