"""Restyling is a recipe: which one, and what is refused."""

from __future__ import annotations

import json

import pytest

from imagen_core.imagen import Imagen
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.ui.restyling import asked_recipe, restyled

PLAIN = Recipe(prompt="an apple", seed=7)
OWN = {"sr256": {"prompt": "a glass pear", "aug_level": 0.4}, "sr1024": {"prompt": "a glass pear"}}


def asked(recipe: Recipe, prompt: object = "a glass pear", aug_level: object = 0.4) -> str:
    return json.dumps({"link": recipe.to_link(), "prompt": prompt, "aug_level": aug_level})


def test_it_is_a_prompt_and_an_aug_level_of_the_later_stages() -> None:
    assert asked_recipe(asked(PLAIN)) == PLAIN.updated(OWN)
    assert asked_recipe(asked(PLAIN.updated(OWN), "", 0)) == PLAIN.updated({"sr256": {"aug_level": 0.0}})
    assert asked_recipe(asked(PLAIN)).stage_key("base") == PLAIN.stage_key("base")


def test_a_fork_of_the_base_stays_and_one_of_a_later_stage_is_drawn_anew() -> None:
    early = PLAIN.forked("base", 7, {"prompt": "a pear"})
    assert restyled(early, "x", 0.1).fork == early.fork
    late = PLAIN.forked("sr256", 2, {"prompt": "a pear", "sr1024": {"num_steps": 5}})
    again = restyled(late, "x", 0.1)
    assert again.fork is None
    assert again.stage_key("base") == late.stage_key("base")
    assert (again.sr1024.num_steps, again.sr256.prompt) == (5, "x")


def test_the_base_is_not_drawn_again(tiny_imagen: Imagen) -> None:
    fast = {"base": {"num_steps": 2}, "sr256": {"num_steps": 1}, "last_stage": "sr256"}
    list(tiny_imagen.stream(PLAIN.updated(fast)))
    calls: list[int] = []
    tiny_imagen.cascade.stages["base"].unet.register_forward_pre_hook(lambda *_: calls.append(1))
    list(tiny_imagen.stream(restyled(PLAIN.updated(fast), "a pear", 0.4)))
    assert calls == []


@pytest.mark.parametrize("text", [None, 7, "", "[]", "{", '{"link": 3}', "[" * 100_000, "x" * 300_000])
def test_what_no_page_of_ours_asks_is_refused(text: object) -> None:
    with pytest.raises(RecipeError, match=r"^restyle must be a link, a prompt and an aug_level, not "):
        asked_recipe(text)


def test_values_are_checked_as_everywhere() -> None:
    with pytest.raises(RecipeError, match=r"^sr256\.aug_level must be a number from 0 to 1, not 1\.5\.$"):
        asked_recipe(asked(PLAIN, aug_level=1.5))
    with pytest.raises(RecipeError, match=r"^sr256\.prompt must be text, not 7\.$"):
        asked_recipe(asked(PLAIN, prompt=7))
