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

from imagen_core.cascade import Run
from imagen_core.imagen import Imagen
from imagen_core.recipe import Recipe
from imagen_core.ui.demo import Place, build, launch
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
def served(load: Callable[[], Imagen]) -> Iterator[str]:
    """The address of a page around the model that `load` gives."""
    blocks: gr.Blocks = in_a_loop(lambda: build(load))
    try:
        yield in_a_loop(lambda: launch(blocks, Place(host="127.0.0.1", port=free_port()), block=False))
    finally:
        blocks.close(verbose=False)


class Recorded(Imagen):
    """A model that remembers the runs it was asked for."""

    runs: list[Run]

    def stream(self, recipe: Recipe) -> Run:
        run = super().stream(recipe)
        self.runs.append(run)
        return run


def recorded() -> Recorded:
    imagen = Recorded(make_tiny_imagen().cascade, Recipe())
    imagen.runs = []
    return imagen
