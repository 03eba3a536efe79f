"""What a visitor of the sweep is told, without a browser."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import torch
from gradio.components import Component
from PIL import Image, ImageChops
from torch import Tensor

from imagen_core.cascade import Cascade
from imagen_core.contact_sheet import read_sweep
from imagen_core.denoiser import Denoiser
from imagen_core.imagen import Imagen
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.sweep import Sweep
from imagen_core.sweep_axis import Axis
from imagen_core.ui import sweep_messages
from imagen_core.ui.model import BackgroundModel, Models
from imagen_core.ui.opening import recipe_in_address, sweep_in_address
from imagen_core.ui.sweep_handlers import NO_AXIS, AxisControls, SweepControls, SweepHandlers
from imagen_core.ui.sweep_messages import SweepMessages
from tests.ui_page import in_a_loop, placed_form

SMALL = Recipe(prompt="an apple", seed=7, last_stage="base").updated({"base": {"num_steps": 2}})
VISITOR = gr.Request(session_hash="someone")


class Page:
    """The form and the controls of the sweep, placed but not served."""

    def __init__(self, more: Mapping[str, type[Component]] | None = None) -> None:
        with gr.Blocks(analytics_enabled=False):
            form = placed_form()
            added = {name: control() for name, control in (more or {}).items()}
            self.form = replace(form, controls={**form.controls, **added})
            axes = (AxisControls(gr.Dropdown(), gr.Textbox()), AxisControls(gr.Dropdown(), gr.Textbox()))
            self.controls = SweepControls(axes, gr.HTML())


@pytest.fixture(scope="module")
def page() -> Page:
    return in_a_loop(Page)


def handlers(page: Page, imagen: Imagen) -> SweepHandlers:
    models = Models("bundled", {"bundled": BackgroundModel(lambda: imagen)})
    return SweepHandlers(models, page.form, page.controls, "https://example.org/page")


def drawing(page: Page, imagen: Imagen, recipe: Recipe, *axes: tuple[object, object]) -> Iterator[dict[str, Any]]:
    values = page.form.show(recipe)
    for control, (name, text) in zip(page.controls.axes, (*axes, (NO_AXIS, "")), strict=False):
        values |= {control.name: name, control.values: text}
    return handlers(page, imagen).draw(values, VISITOR)


def test_sweep_ends_with_a_sheet_that_carries_it(page: Page, tiny_imagen: Imagen) -> None:
    messages, carried = [], None
    axes = (("base.guidance_scale", "1, 3"), ("base.scheduler", "ddim,euler"))
    for message in drawing(page, tiny_imagen, SMALL.updated({"num_images": 4}), *axes):
        messages.append(message)
        if message["kind"] == "sheet":
            carried = read_sweep(Path(message["file"]["file"]["path"]))
    begun, last = messages[0], messages[-1]
    assert begun["axes"] == [
        {"name": "base.guidance_scale", "labels": ["1", "3"]},
        {"name": "base.scheduler", "labels": ["ddim", "euler"]},
    ]
    assert begun["page"] == "https://example.org/page"
    assert carried == Sweep.from_link(begun["link"])
    assert [Recipe.from_link(link) for link in begun["links"]] == [carried.cell(i) for i in range(4)]
    assert sorted(message["cell"] for message in messages if message["kind"] == "cell_done") == [0, 1, 2, 3]
    assert last["kind"] == "finished"


def test_cell_is_the_picture_of_its_recipe(page: Page, tiny_imagen: Imagen) -> None:
    done = [m for m in drawing(page, tiny_imagen, SMALL, ("seed", "3,4")) if m["kind"] == "cell_done"]
    again = [m for m in drawing(page, tiny_imagen, SMALL, ("seed", "4,3")) if m["kind"] == "cell_done"]
    assert [m["x_0"] for m in done] == [m["x_0"] for m in reversed(again)]
    assert done[0]["x_0"] != done[1]["x_0"]


@pytest.mark.parametrize(
    "axis", [("seed", "3..5"), ("base.guidance_scale", "1, 2, 4"), ("prompt", "an apple\na car\nfour blue stars")]
)
def test_an_accelerator_draws_cells_together(
    page: Page, tiny_imagen: Imagen, monkeypatch: pytest.MonkeyPatch, axis: tuple[str, str]
) -> None:
    axes = (axis, ("base.scheduler", "euler"))
    alone = [m for m in drawing(page, tiny_imagen, SMALL, *axes) if m["kind"] == "cell_done"]
    tiny_imagen.cascade.forget()
    monkeypatch.setattr(Cascade, "chunk", None)
    monkeypatch.setattr(sweep_messages, "INTERVAL", 0.0)
    messages = list(drawing(page, tiny_imagen, SMALL, *axes))
    steps = [(s["cell"], s["step"], s["num_steps"]) for m in messages if m["kind"] == "cell_steps" for s in m["steps"]]
    assert steps == [(cell, step, 2) for step in (1, 2) for cell in (0, 1, 2)]  # all grow together
    together = [m for m in messages if m["kind"] == "cell_done"]
    assert [m["cell"] for m in together] == [0, 1, 2]
    for one, other in zip(alone, together, strict=True):  # in float32 only the order of sums differs
        difference = ImageChops.difference(opened(one["x_0"]), opened(other["x_0"]))
        assert max(high for _, high in difference.getextrema()) <= 1


def test_the_way_to_another_seed_is_swept_from_a_form_without_a_share(tiny_imagen: Imagen) -> None:
    page = in_a_loop(lambda: Page({"variation": gr.Slider, "variation_seed": gr.Textbox}))
    recipe = SMALL.updated({"variation": 0.5, "variation_seed": 3})
    values = page.form.show(recipe) | {page.form.controls["variation"]: 0}
    name, text = page.controls.axes[0].name, page.controls.axes[0].values
    values |= {
        name: "variation",
        text: "0,0.5,1",
        page.controls.axes[1].name: NO_AXIS,
        page.controls.axes[1].values: "",
    }
    messages = list(handlers(page, tiny_imagen).draw(values, VISITOR))
    assert messages[-1]["kind"] == "finished"
    assert len({m["x_0"] for m in messages if m["kind"] == "cell_done"}) == 3


def test_cells_that_fail_together_are_drawn_one_by_one(
    page: Page, tiny_imagen: Imagen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the memory of an accelerator is enough for one of them."""
    whole = Cascade.denoiser

    def cramped(cascade: Cascade, *asked: object) -> Denoiser:
        denoiser = whole(cascade, *asked)

        def unet(x_t: Tensor, *others: object) -> Tensor:
            if len(x_t) > 2:  # one image, with guidance
                raise torch.OutOfMemoryError("CUDA out of memory")
            return denoiser.unet(x_t, *others)

        return replace(denoiser, unet=unet)

    tiny_imagen.cascade.forget()
    monkeypatch.setattr(Cascade, "chunk", None)
    monkeypatch.setattr(Cascade, "denoiser", cramped)
    messages = list(drawing(page, tiny_imagen, SMALL, ("seed", "3..5")))
    assert [m["cell"] for m in messages if m["kind"] == "cell_done"] == [0, 1, 2]
    assert messages[-1]["kind"] == "finished"


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")


@pytest.mark.parametrize(
    ("axes", "problem"),
    [
        (((NO_AXIS, ""),), "sweep must have one or two axes, not 0."),
        ((("seed", "x"),), "seed must be a whole number"),
        ((("seed", 7),), "sweep must have a name and values in text"),
        (((None, "1"),), "sweep must have a name and values in text"),
        ((("sr256.num_steps", "1,2"),), "sr256.num_steps changes nothing"),
        ((("model", "a,b"),), "model is not among the known names"),
    ],
)
def test_what_is_refused_is_a_sentence(
    page: Page, tiny_imagen: Imagen, axes: tuple[tuple[object, object], ...], problem: str
) -> None:
    [failed] = drawing(page, tiny_imagen, SMALL, *axes)
    assert failed["kind"] == "failed"
    assert failed["text"].startswith(problem)


def test_leaving_ends_the_sweep(page: Page, tiny_imagen: Imagen) -> None:
    own = handlers(page, tiny_imagen)
    values = page.form.show(SMALL.updated({"base": {"num_steps": 250}}))
    x, y = page.controls.axes
    values |= {x.name: "seed", x.values: "1..16", y.name: NO_AXIS, y.values: ""}
    run = own.draw(values, VISITOR)
    while next(run)["kind"] != "cell_steps":
        pass
    own.leave(VISITOR)
    assert [message["kind"] for message in run][-1] == "stopped"


def test_address_is_a_recipes_or_a_sweeps() -> None:
    recipe, sweep = [("prompt", "a"), ("utm_source", "x")], [("prompt", "a"), ("sweep.x", "seed:1,2")]
    found = recipe_in_address(recipe)
    assert found is not None
    assert found[0] == Recipe(prompt="a")
    assert sweep_in_address(recipe) is None
    assert recipe_in_address(sweep) is None
    assert sweep_in_address(sweep) == Sweep(Recipe(prompt="a"), (Axis("seed", (1, 2)),))
    with pytest.raises(RecipeError):
        sweep_in_address([*sweep, ("sweep.y", "\ud800")])


def test_a_step_without_a_picture_is_not_told() -> None:
    """The last one of a run that is stopped between two messages may have none."""
    messages, step = SweepMessages(), {"stage": "base", "step": 3, "num_steps": 4}
    assert messages.step(0, step) is None
    told = messages.step(0, {**step, "x_0": ["data:,"]})
    assert told is not None
    assert told["kind"] == "cell_steps"
    assert told["steps"] == [{"cell": 0, "x_0": "data:,", "size": 64, "step": 3, "num_steps": 4}]
