"""What a browser asks for and gets when it compares kinds of thresholding, without a browser."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gradio as gr
import pytest
import torch
from PIL import Image

from imagen_core.events import Preview
from imagen_core.imagen import Imagen
from imagen_core.images import to_pil
from imagen_core.recipe import Recipe
from tests.conftest import make_tiny_imagen
from tests.test_ui_handlers import Page, visitor
from tests.ui_page import in_a_loop

RECIPE = Recipe(prompt="a red apple", seed=7, num_images=2).updated(
    {
        "base": {"num_steps": 4, "guidance_scale": 9.0, "thresholding": "dynamic"},
        "sr256": {"num_steps": 2},
        "sr1024": {"num_steps": 1},
    }
)
ASKED = {"link": RECIPE.to_link(), "stage": "base", "image": 1, "steps": [2, 4], "run": "abc"}


@pytest.fixture(scope="module")
def page() -> Page:
    return in_a_loop(Page)


def answers(page: Page, load: Callable[[], Imagen], asked: object) -> list[dict[str, Any]]:
    return list(page.handlers(load).compare(visitor(), gr.EventData(None, asked)))


def pixels(uri: str) -> bytes:
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return image.tobytes()


def test_only_what_is_asked_for_is_answered_and_it_is_the_run_s_own_step(page: Page, tiny_imagen: Imagen) -> None:
    *steps, done = answers(page, lambda: tiny_imagen, ASKED)
    assert [(step["kind"], step["stage"], step["image"], step["step"]) for step in steps] == [
        ("thresholds", "base", 1, 2),
        ("thresholds", "base", 1, 4),
    ]
    assert (done["kind"], {message["run"] for message in (*steps, done)}) == ("thresholds_done", {"abc"})
    run = [event for event in make_tiny_imagen().stream(RECIPE) if isinstance(event, Preview)]
    for step in steps:
        event = run[step["step"] - 1]
        dynamic = step["kinds"]["dynamic"]
        assert pixels(dynamic["picture"]) == to_pil(event.x_0)[1].tobytes()
        assert (dynamic["s"], dynamic["clipped_share"]) == (event.stats.threshold[1], event.stats.clipped_share[1])
        assert step["used"] == RECIPE.base.thresholding
        assert step["largest"] >= dynamic["s"]


def test_pixels_out_of_range_are_marked_and_no_others(page: Page, tiny_imagen: Imagen) -> None:
    (step, _) = answers(page, lambda: tiny_imagen, ASKED | {"steps": [1]})
    marked, plain = (
        torch.tensor(list(pixels(uri))).view(64, 64, 3) for uri in (step["beyond"], step["kinds"]["none"]["picture"])
    )
    glaring = (marked == torch.tensor([255, 0, 255])).all(dim=-1)
    assert 0 < glaring.float().mean() < 1
    assert torch.equal(marked[~glaring], plain[~glaring])
    inside = (plain > 0) & (plain < 255)
    assert not (glaring & inside.all(dim=-1)).any()


def test_without_steps_the_last_one_is_answered(page: Page, tiny_imagen: Imagen) -> None:
    (step, _) = answers(page, lambda: tiny_imagen, ASKED | {"stage": "sr256", "image": 0, "steps": []})
    assert (step["stage"], step["step"], step["used"]) == ("sr256", 2, "static")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (None, "recipe must be compared by a link and a list of steps: load the page again"),
        ({}, "recipe must be compared by a link and a list of steps: load the page again"),
        (ASKED | {"steps": "all"}, "recipe must be compared by a link and a list of steps: load the page again"),
        (ASKED | {"steps": [1] * 1001}, "recipe must be compared by a link and a list of steps: load the page again"),
        (ASKED | {"steps": [True]}, "step must be a whole number from 1 to 1000, not true"),
        (ASKED | {"stage": "sr99"}, "stage must be one of base, sr256, sr1024, not 'sr99'"),
        (ASKED | {"image": 2}, "num_images must be more than 2 where image 3 is to be compared"),
        (ASKED | {"link": "prompt=x&seed=-1"}, "seed must be a whole number from 0 to 4294967295, not -1"),
        (ASKED | {"link": "model=dall-e"}, "model must be one of bundled, not dall-e"),
        (
            ASKED | {"link": replace(RECIPE, last_stage="base").to_link(), "stage": "sr256"},
            "last_stage must be sr256 or later where sr256 is to be compared",
        ),
    ],
)
def test_what_no_page_of_ours_asks_is_refused_in_one_sentence(
    page: Page, tiny_imagen: Imagen, asked: object, sentence: str
) -> None:
    (failed,) = answers(page, lambda: tiny_imagen, asked)
    assert (failed["kind"], failed["text"]) == ("thresholds_failed", f"{sentence}.")


def test_who_leaves_ends_the_comparison(page: Page, tiny_imagen: Imagen) -> None:
    calls, left = list[int](), threading.Event()

    def wait_in_the_second(*_: object) -> None:
        calls.append(1)
        assert len(calls) < 2 or left.wait(30)

    hook = tiny_imagen.cascade.stages["base"].unet.register_forward_pre_hook(wait_in_the_second)
    handlers = page.handlers(lambda: tiny_imagen)
    run = handlers.compare(visitor("me"), gr.EventData(None, ASKED | {"steps": [1, 2, 3, 4]}))
    assert next(run)["step"] == 1
    handlers.leave(visitor("me"))
    left.set()
    assert [message["kind"] for message in run] == ["thresholds_done"]
    hook.remove()
