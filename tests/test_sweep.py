"""A sweep's cells, its link, and what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagen_core.events import StageFinished, StageStarted
from imagen_core.imagen import Imagen
from imagen_core.recipe import RULES, Recipe, RecipeError
from imagen_core.sweep import Sweep
from imagen_core.sweep_axis import FIELDS, Axis

RECIPE = Recipe(prompt="an apple", seed=7)


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("base.guidance_scale", "1, 2,4", (1.0, 2.0, 4.0)),
        ("base.guidance_scale", "1..2 step 0.25", (1.0, 1.25, 1.5, 1.75, 2.0)),
        ("base.guidance_scale", "0.1..0.3 step .1", (0.1, 0.2, 0.3)),
        ("sr256.aug_level", "0.1234567..0.2 step 0.05", (0.1234567, 0.1734567)),
        ("base.num_steps", "1..9 step 2", (1, 3, 5, 7, 9)),
        ("base.num_steps", "1..3,8", (1, 2, 3, 8)),
        ("seed", "3..5", (3, 4, 5)),
        ("sr256.seed", "3,4", (3, 4)),
        ("base.scheduler", "ddim, euler", ("ddim", "euler")),
        ("prompt", "a {red|blue} apple", ("a red apple", "a blue apple")),
        ("sr256.prompt", "oil\nink", ("oil", "ink")),
    ],
)
def test_what_a_person_types(name: str, text: str, values: tuple[object, ...]) -> None:
    axis = Axis.of(name, text)
    assert axis.values == values
    assert Axis.of(name, axis.text) == axis


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("colour", "1", "colour is not among"),
        ("num_images", "1,2", "num_images is not among"),
        ("base.num_steps", "", "must have 1 to 16 values"),
        ("base.num_steps", "1,1", "the same value twice"),
        ("base.num_steps", "1.5", "must be a whole number"),
        ("base.num_steps", "1..100", "range of 1 to 16 values"),
        ("base.num_steps", "9..1", "range of 1 to 16 values"),
        ("base.num_steps", "9..8", "range of 1 to 16 values"),  # was 9 alone
        ("base.guidance_scale", "2..1.5 step 3", "range of 1 to 16 values"),
        ("base.guidance_scale", "1..9 step 0", "must have a number above 0 as the step of a range, not '0'"),
        ("base.num_steps", "1..9 step .", "must have a whole number above 0 as the step of a range, not '.'"),
        ("base.num_steps", "1..999", "must be a whole number from 1 to 250"),
        ("base.num_steps", "1..9 step 0.5", "must have a whole number above 0 as the step"),
        ("base.num_steps", "1," * 400, "at most 16 values"),
        ("base.aug_level", "0.5", "base.aug_level is not among"),
        ("base.scheduler", "heun", "must be one of"),
        ("base.guidance_scale", "nan", "must be a number"),
        ("prompt", "{a|b}" * 9, "at most 64 prompts"),
        ("prompt", "\n".join(map(str, range(17))), "1 to 16 values"),
        ("seed", "1" * 20_001, "at most 20,000 characters"),
    ],
)
def test_what_is_refused(name: str, text: str, problem: str) -> None:
    with pytest.raises(RecipeError) as told:
        Sweep(RECIPE, (Axis.of(name, text),))
    assert problem in str(told.value)


@pytest.mark.parametrize(
    ("recipe", "axes", "field"),
    [
        (RECIPE, (), "sweep"),
        (RECIPE, (("seed", "1"), ("seed", "2")), "sweep.y"),
        (RECIPE, (("seed", "1..16"), ("base.num_steps", "1..5")), "sweep"),
        (RECIPE.updated({"last_stage": "base"}), (("sr256.num_steps", "1,2"),), "sr256.num_steps"),
        (RECIPE.updated({"base": {"num_steps": 250}}), (("seed", "1..16"), ("sr1024.num_steps", "200,250")), "sweep"),
    ],
)
def test_sweeps_that_are_refused(recipe: Recipe, axes: tuple[tuple[str, str], ...], field: str) -> None:
    with pytest.raises(RecipeError) as told:
        Sweep(recipe, tuple(Axis.of(name, text) for name, text in axes))
    assert told.value.field == field


def test_an_axis_may_need_the_value_of_the_other() -> None:
    axes = (Axis.of("variation", "0.3,0.6"), Axis.of("variation_seed", "1,2"))
    assert [Sweep(RECIPE, axes).cell(index).variation_seed for index in range(4)] == [1, 1, 2, 2]
    assert Sweep(RECIPE, axes[::-1]).cell(1).variation == 0.3
    late = RECIPE.updated({"base": {"guidance_end": 0.3}})
    span = (Axis.of("base.guidance_start", "0.4,0.5"), Axis.of("base.guidance_end", "0.6,0.9"))
    assert Sweep(late, span).cell(3).base.guidance_start == 0.5


def test_a_sweep_that_changes_nothing_is_refused() -> None:
    with pytest.raises(RecipeError, match="has cells that are the same"):
        Sweep(RECIPE, (Axis.of("variation_seed", "1,2"),))  # there is no variation


def test_the_longest_link_is_read_again() -> None:
    prompts = "\n".join(f"{number:02}" + "😀" * 998 for number in range(16))
    recipe = Recipe(prompt="🍏" * 1000, negative_prompt="🍎" * 1000)
    sweep = Sweep(recipe, (Axis.of("prompt", prompts),))
    assert len(sweep.to_link()) > 190_000
    assert Sweep.from_link(sweep.to_link()) == sweep


def test_cells_run_along_the_rows() -> None:
    sweep = Sweep(RECIPE, (Axis.of("base.guidance_scale", "1,2"), Axis.of("sr256.num_steps", "3,4,5")))
    cells = [sweep.cell(i) for i in range(6)]
    assert [(cell.base.guidance_scale, cell.sr256.num_steps) for cell in cells] == [
        (1, 3), (2, 3), (1, 4), (2, 4), (1, 5), (2, 5),
    ]  # fmt: skip
    assert {cell.seed for cell in cells} == {7}
    assert sweep.order() == [0, 2, 4, 1, 3, 5]  # what changes the base, changes seldom
    with pytest.raises(IndexError):
        sweep.cell(6)


def test_batches_are_cells_that_follow_each_other() -> None:
    scales, levels = Axis.of("base.guidance_scale", "1,2"), Axis.of("sr256.aug_level", "0,0.2,0.4")
    sweep = Sweep(RECIPE, (scales, levels))
    assert list(sweep.batches(4)) == [(0, 2, 4, 1), (3, 5)]
    assert list(sweep.batches(1)) == [(cell,) for cell in sweep.order()]
    assert list(sweep.batches(8)) == [tuple(sweep.order())]


def test_cells_that_failed_come_again_alone_and_next() -> None:
    batches = Sweep(RECIPE, (Axis.of("seed", "5,6,7,9"),)).batches(3)
    assert next(batches) == (0, 1, 2)
    batches.one_by_one([0, 2])
    assert list(batches) == [(0,), (2,), (3,)]


def test_stage_that_does_not_change_is_drawn_once(tiny_imagen: Imagen) -> None:
    recipe = RECIPE.updated({"last_stage": "sr256", "base": {"num_steps": 2}, "sr256": {"num_steps": 1}})
    sweep = Sweep(recipe, (Axis.of("base.guidance_scale", "1,2"), Axis.of("sr256.aug_level", "0,0.2,0.4")))
    events = [event for index in sweep.order() for event in tiny_imagen.stream(sweep.cell(index))]
    drawn = [event.stage for event in events if isinstance(event, StageStarted)]
    assert (drawn.count("base"), drawn.count("sr256")) == (2, 6)
    assert sum(event.cached for event in events if isinstance(event, StageFinished)) == 4


def test_link_that_was_cut_off_is_refused() -> None:
    whole = Sweep(RECIPE, (Axis.of("seed", "1,2,30"),)).to_link()
    assert Sweep.from_link(whole).axes[0].values == (1, 2, 30)
    for end in range(1, len(whole)):
        with pytest.raises(RecipeError):
            Sweep.from_link(whole[:end])


@pytest.mark.parametrize(
    "query",
    ["", "prompt=a", "sweep.x=seed", "sweep.x=seed:1&sweep.x=seed:2", "sweep.x=seed:%ZZ", "sweep.z=seed:1", "sweep=1",
     "sweep.y=seed:1&sweep.x=:", "sweep.x=version:1"],
)  # fmt: skip
def test_links_that_are_refused(query: str) -> None:
    with pytest.raises(RecipeError):
        Sweep.from_link(query)


@settings(max_examples=200)
@given(st.sampled_from(FIELDS), st.text(alphabet="0123456789.,- step{}|ab\n", max_size=30))
def test_any_text_is_an_axis_or_one_error_and_its_link_gives_it_back(name: str, text: str) -> None:
    try:
        sweep = Sweep(RECIPE, (Axis.of(name, text),))
    except RecipeError:
        return
    assert Sweep.from_link(sweep.to_link()) == sweep
    assert all(RULES[name].check(name, value) == value for value in sweep.axes[0].values)


@settings(max_examples=100)
@given(st.text(max_size=60))
def test_any_link_is_a_sweep_or_one_error(query: str) -> None:
    for text in (query, f"sweep.x={query}", f"sweep.x=prompt:{query}"):
        try:
            sweep = Sweep.from_link(text)
        except RecipeError:
            continue
        assert Sweep.from_link(sweep.to_link()) == sweep
