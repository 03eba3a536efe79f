"""The page for tests: served in this process around a real, tiny model."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr
import pytest

from imagen_core.imagen import Imagen
from imagen_core.recipe import Recipe
from imagen_core.run import Run
from imagen_core.ui.demo import build
from imagen_core.ui.form import Form
from imagen_core.ui.model import BackgroundModel, Models
from imagen_core.ui.serving import Place, launch
from imagen_core.ui.settings_panel import quick_settings, stage_settings
from tests.conftest import make_tiny_imagen

T = TypeVar("T")
# Gradio's queue uses what pandas 3 has deprecated, in a thread of its own.
GRADIO_WARNING = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")


def in_a_loop(function: Callable[[], T]) -> T:
    """Call `function` where an event loop runs: gradio makes one of its own otherwise, and never closes it."""

    async def call() -> T:
        return function()

    try:
        asyncio.get_running_loop()  # the browser's, where one is open
    except RuntimeError:
        return asyncio.run(call())
    return function()


def free_port() -> int:
    """A port that nobody listens on; gradio's own search leaves a socket open for every port that is taken."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(load: Callable[[], Imagen], port: int | None = None, mcp: bool = False) -> Iterator[str]:
    """The address of a page around the model that `load` gives."""
    blocks: gr.Blocks = in_a_loop(lambda: build(Models("bundled", {"bundled": BackgroundModel(load)})))
    try:
        yield in_a_loop(lambda: launch(blocks, Place(host="127.0.0.1", port=port or free_port(), mcp=mcp)))
    finally:
        blocks.close(verbose=False)


def models_of(imagen: Imagen) -> Models:
    """The models of a page that has this one alone, not loaded yet."""
    return Models("bundled", {"bundled": BackgroundModel(lambda: imagen)})


def placed_form() -> Form:
    """The form of the page among blocks that are being placed."""
    quick = quick_settings(Recipe())
    return Form({"prompt": gr.Textbox(), **quick.controls, **stage_settings(Recipe(), lambda _: {})}, Recipe())


class Recorded(Imagen):
    """A model that remembers the runs it was asked for."""

    runs: list[Run]
    recipes: list[Recipe]

    def stream(self, recipe: Recipe, attention: bool = False, anew: bool = False) -> Run:
        run = super().stream(recipe, attention, anew)
        self.runs.append(run)
        self.recipes.append(recipe)
        return run


def recorded() -> Recorded:
    tiny = make_tiny_imagen()
    imagen = Recorded(tiny.cascade, Recipe(), tiny.vocabulary)
    imagen.runs, imagen.recipes = [], []
    return imagen
