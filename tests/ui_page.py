"""The page for tests: served in this process around a real, tiny model."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr

from imagen_core.imagen import Imagen
from imagen_core.ui.demo import Place, build, launch

T = TypeVar("T")


def in_a_loop(function: Callable[[], T]) -> T:
    """Call `function` where an event loop runs: gradio makes one of its own otherwise, and never closes it."""

    async def call() -> T:
        return function()

    return asyncio.run(call())


@contextmanager
def served(load: Callable[[], Imagen]) -> Iterator[str]:
    """The address of a page around the model that `load` gives."""
    blocks: gr.Blocks = in_a_loop(lambda: build(load))
    try:
        yield in_a_loop(lambda: launch(blocks, Place(host="127.0.0.1"), block=False))
    finally:
        blocks.close(verbose=False)
