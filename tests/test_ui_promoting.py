"""What a visitor is told of drafts that are promoted, without a browser."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from imagen_core.drafts import Drafts
from imagen_core.imagen import Imagen
from imagen_core.metadata import read_recipe
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.ui import messages
from imagen_core.ui.promoting import Promoting, promoted_recipes
from tests.ui_page import models_of

SMALL = Recipe(prompt="an apple", seed=7, last_stage="sr256").updated({"base": {"num_steps": 3}})
VISITOR = gr.Request(session_hash="someone")


def promote(imagen: Imagen, asked: object) -> list[dict[str, Any]]:
    return list(Promoting(models_of(imagen)).promote(gr.EventData(None, asked), VISITOR))


def test_promoted_draft_is_the_picture_that_its_recipe_draws(tiny_imagen: Imagen) -> None:
    draft = Drafts(SMALL, 4, ("a red apple", "a blue apple")).recipe_of(3)
    asked = {"links": [draft.to_link()], "last_stage": "sr256"}
    whole = None
    for message in Promoting(models_of(tiny_imagen)).promote(gr.EventData(None, asked), VISITOR):
        if message["kind"] == "promoted":
            path = Path(message["file"]["file"]["path"])
            whole = (read_recipe(path), Image.open(path).convert("RGB").tobytes())
    assert whole is not None
    recipe, pixels = whole
    assert (recipe.prompt, recipe.seed) == ("a blue apple", 8)
    tiny_imagen.cascade.forget()
    assert tiny_imagen.generate(recipe)[0].tobytes() == pixels


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (None, "takes 1 to 16 pictures at once"),
        ([], "takes 1 to 16 pictures at once"),
        ({"links": []}, "takes 1 to 16 pictures at once"),
        ({"links": ["prompt=a"] * 17}, "takes 1 to 16 pictures at once"),
        ({"links": [7]}, "links must be text"),
        ({"links": ["prompt=a&colour=red"]}, "colour is not among"),
        ({"links": ["prompt=a"], "last_stage": "sr4096"}, "last_stage must be one of"),
        ({"links": ["sr1024.num_steps=250"] * 16, "last_stage": "sr1024"}, None),
        ({"links": ["base.num_steps=250&sr256.num_steps=250&sr1024.num_steps=250"] * 16}, "20,000 steps of work"),
        ({"links": ["model=other"]}, "model must be one of bundled, not other."),
    ],
)
def test_what_a_browser_may_not_promote(asked: object, problem: str | None, tiny_imagen: Imagen) -> None:
    if problem is None:
        assert len(promoted_recipes(asked)) == 16
        return
    last = promote(tiny_imagen, asked)[-1]
    assert last["kind"] == "failed"
    assert problem in last["text"]


def test_stop_ends_what_is_promoted(tiny_imagen: Imagen) -> None:
    tiny_imagen.cascade.forget()
    promoting = Promoting(models_of(tiny_imagen))
    asked = {"links": [SMALL.updated({"base": {"num_steps": 250}}).to_link()], "last_stage": "base"}
    run = promoting.promote(gr.EventData(None, asked), VISITOR)
    while next(run)["kind"] != "promoted_step":
        pass
    promoting.stop(VISITOR)
    assert [message["kind"] for message in run][-1] == "stopped"


def test_stop_between_two_messages_is_no_failure(tiny_imagen: Imagen, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps behind the last message were told without their picture, and the view was sent an error instead."""
    monkeypatch.setattr(messages, "INTERVAL", time.monotonic() - 1)  # the first step is told, and none behind it
    monkeypatch.setattr(messages, "SHARE", -1.0)  # of those none is made a picture of
    tiny_imagen.cascade.forget()
    calls = list[int]()
    inside, stopped = threading.Event(), threading.Event()

    def wait_in_the_fifth(*_: object) -> None:
        calls.append(1)
        if len(calls) == 5:
            inside.set()
            assert stopped.wait(30)

    hook = tiny_imagen.cascade.stages["base"].unet.register_forward_pre_hook(wait_in_the_fifth)
    promoting = Promoting(models_of(tiny_imagen))
    run = promoting.promote(gr.EventData(None, {"links": ["base.num_steps=20"], "last_stage": "base"}), VISITOR)
    told = [next(run)["kind"], next(run)["kind"]]
    assert inside.wait(30)
    promoting.stop(VISITOR)
    stopped.set()
    told += [message["kind"] for message in run]
    hook.remove()
    assert told == ["promoting", "promoted_step", "stopped"]


def test_promoted_recipes_are_of_one_image() -> None:
    [recipe] = promoted_recipes({"links": ["prompt=a&num_images=16"], "last_stage": "base"})
    assert (recipe.num_images, recipe.last_stage) == (1, "base")
    with pytest.raises(RecipeError):
        promoted_recipes({"links": ["x"]})
