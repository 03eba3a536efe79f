"""Which axes change the pictures and from which stage on; ranges that go down."""

from __future__ import annotations

import pytest

from imagen_core.recipe import STAGES, Recipe, RecipeError
from imagen_core.sweep import Sweep
from imagen_core.sweep_axis import Axis

RECIPE = Recipe(prompt="an apple", seed=7)


def swept(of_recipe: dict[str, object], *axes: str) -> Sweep:
    return Sweep(RECIPE.updated(of_recipe), tuple(Axis.of(*axis.split("=")) for axis in axes))


@pytest.mark.parametrize(
    ("of_recipe", "axes", "told"),
    [
        ({}, ["base.percentile=90,99"], "base.percentile"),
        ({"base": {"spacing": "smart50"}}, ["base.num_steps=10,20"], "base.num_steps"),
        ({}, ["sr1024.guidance_start=0,0.5"], "sr1024.guidance_start"),
        ({stage: {"prompt": "a pear"} for stage in STAGES}, ["prompt=a {red|blue} apple"], "prompt"),
        ({stage: {"seed": 3} for stage in STAGES}, ["base.guidance_scale=1,2", "seed=1..3"], "seed"),
        ({"base": {"guidance_scale": 1}}, ["negative_prompt={red|blue}", "seed=1,2"], "negative_prompt"),
        ({"last_stage": "base", "base": {"prompt": "a pear"}}, ["prompt={red|blue}"], "prompt"),
    ],
)
def test_an_axis_that_changes_no_picture_is_refused(of_recipe: dict[str, object], axes: list[str], told: str) -> None:
    """Each drew the same picture in all its cells."""
    with pytest.raises(RecipeError) as refused:
        swept(of_recipe, *axes)
    assert str(refused.value) == f"sweep has cells that are the same: {told} changes nothing in this recipe."


@pytest.mark.parametrize(
    ("of_recipe", "axes"),
    [
        ({}, ["base.thresholding=none,static,dynamic", "base.percentile=90,99"]),  # only dynamic has a percentile
        ({}, ["base.guidance_end=0.5,1", "base.guidance_scale=1,2"]),
        ({"base": {"prompt": "a pear"}}, ["prompt={red|blue}"]),  # of the stages behind
        ({}, ["base.percentile=90"]),  # one value says what all cells have
    ],
)
def test_an_axis_that_changes_some_pictures_is_drawn(of_recipe: dict[str, object], axes: list[str]) -> None:
    assert Sweep.from_link(swept(of_recipe, *axes).to_link()) == swept(of_recipe, *axes)


@pytest.mark.parametrize(
    ("of_recipe", "axes", "size", "last_stage"),
    [
        ({}, ["seed=1,2"], 256, "sr256"),
        ({}, ["seed=1,2"], 64, "base"),
        ({}, ["seed=1,2"], 1024, "sr1024"),
        ({}, ["seed=1,2", "sr1024.num_steps=2,3"], 256, "sr1024"),
        ({}, ["sr1024.num_steps=2", "seed=1,2"], 256, "sr1024"),
        ({}, ["sr256.num_steps=2,3"], 64, "sr256"),
        ({stage: {"prompt": "a pear"} for stage in ("base", "sr256")}, ["prompt={red|blue}"], 256, "sr1024"),
        ({"last_stage": "sr256"}, ["seed=1,2"], 1024, "sr256"),
        ({"last_stage": "base"}, ["seed=1,2"], 256, "base"),
    ],
)
def test_a_sweep_ends_where_its_pictures_are_large_enough_and_all_different(
    of_recipe: dict[str, object], axes: list[str], size: int, last_stage: str
) -> None:
    sweep = swept(of_recipe, *axes)
    assert sweep.up_to(size) == Sweep(sweep.recipe.updated({"last_stage": last_stage}), sweep.axes)


def test_a_range_that_goes_down_is_told_how_to_be_written() -> None:
    """It was told to be one of 1 to 16 values, which it seemed to be."""
    with pytest.raises(RecipeError) as told:
        Axis.of("base.num_steps", "9..1 step 2")
    sentence = "must have a range of 1 to 16 values that goes up, as 1..9 does, or a list, not '9..1'."
    assert str(told.value) == f"base.num_steps {sentence}"
    assert Axis.of("base.num_steps", "9,5,1").values == (9, 5, 1)
