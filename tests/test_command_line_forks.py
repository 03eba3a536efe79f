"""From the command line: leaving a recipe at a step, dropping a fork, and what a stage had of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagen_core.__main__ import main
from imagen_core.imagen import Imagen
from imagen_core.metadata import read_recipe
from imagen_core.recipe import Recipe
from tests.drawn_in_a_folder import ONE_STAGE, drawn, never

PARENT = Recipe(prompt="a cat", seed=5)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Recipe:
    assert main([*arguments, "--print-recipe"], load=never) == 0
    return Recipe.from_dict(json.loads(capsys.readouterr().out))


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments, load=never) == 2
    return capsys.readouterr().err.removeprefix("imagen_core: ").removesuffix("\n")


def test_a_recipe_is_left_at_a_step_and_goes_on_with_all_other_options(capsys: pytest.CaptureFixture[str]) -> None:
    source = ["--recipe", PARENT.to_link()]
    assert printed(capsys, *source, "--fork", "base.7") == PARENT.forked("base", 7, {})
    changed = printed(capsys, "a dog", *source, "--fork", "sr256.2", "--set", "sr256.num_steps=9", "--seed", "6")
    assert changed == PARENT.forked("sr256", 2, {"prompt": "a dog", "seed": 6, "sr256": {"num_steps": 9}})
    again = printed(capsys, *source, "--fork", "base.7.restarted")
    assert again == PARENT.forked("base", 7, {}, "restarted")
    further = printed(capsys, "a pig", "--recipe", changed.to_link(), "--fork", "sr256.4")
    assert further == changed.forked("sr256", 4, {"prompt": "a pig"})


def test_a_fork_is_drawn_and_its_picture_carries_it(folder: Path, tiny_imagen: Imagen) -> None:
    assert drawn(tiny_imagen, "a cat", *ONE_STAGE) == 0
    parent = read_recipe(Path("out.png"))
    assert drawn(tiny_imagen, "a dog", "--recipe", "out.png", "--fork", "base.1", "--quiet") == 0
    assert read_recipe(Path("again.png")) == parent.forked("base", 1, {"prompt": "a dog"})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["x", "--fork", "base.7"], "--fork leaves a recipe at a step: give that one as --recipe."),
        (["--recipe", "prompt=x", "--fork", "base.24"],
         "fork.step must be below 24, the steps of base in the parent, not 24."),
        (["--recipe", "prompt=x", "--fork", "base.x"],
         "fork.step must be a whole number from 0 to 999, not 'x'."),
        (["--recipe", "prompt=x", "--fork", "7"], "fork must be a stage, a number of steps and what is done with the "
         "history, base.7.restored, not '7'."),
        (["--recipe", "prompt=x", "--fork", "sr256.2", "--steps", "9"],
         "base.num_steps must be 24 as in the fork's parent, not 9, for the fork begins in sr256."),
        (["--recipe", "prompt=x", "--fork", "base.2", "--num-images", "2"],
         "num_images must be 1 as in the fork's parent, not 2."),
        (["--recipe", "prompt=x", "--fork", "base.2", "--sweep", "seed=1,2", "--output", "none/a.png"],
         "--sweep varies a recipe of one image that is no fork, and this one is of a fork."),
        (["--recipe", "prompt=x", "--set", "fork=base.3"],
         "--set fork= drops a fork; to make one write --fork, as in --fork base.7."),
        (["--recipe", "prompt=x", "--fork", "base.2", "--set", "fork="],
         "fork must not be among a fork's changes, for it is what they make."),
    ],
)  # fmt: skip
def test_a_fork_that_cannot_be_is_told(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, *arguments) == sentence


def test_a_fork_is_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    fork = PARENT.forked("base", 3, {"prompt": "a dog"})
    dropped = printed(capsys, "--recipe", fork.to_link(), "--set", "fork=")
    assert dropped == PARENT.updated({"prompt": "a dog"})
    assert printed(capsys, "--recipe", dropped.to_link(), "--set", "fork=") == dropped


def test_what_a_stage_has_of_its_own_is_taken_away(capsys: pytest.CaptureFixture[str]) -> None:
    """A prompt could be, a seed was told to be a whole number; in a link nothing is written for none."""
    own = PARENT.updated({"sr256": {"prompt": "oil", "seed": 3}})
    taken = ["--set", "sr256.seed=", "--set", "sr256.prompt="]
    assert printed(capsys, "--recipe", own.to_link(), *taken) == PARENT
    assert Recipe.from_link("prompt=a+cat&seed=5&sr256.seed=") == PARENT
    assert told(capsys, "x", "--set", "seed=") == "seed must be a whole number from 0 to 4294967295, not ''."
