"""How the page is served."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import gradio as gr
import pytest

from imagen_core.recipe import Recipe
from imagen_core.ui.model import BackgroundModel, Models
from imagen_core.ui.serving import Place, PlaceError, launch, serve
from tests.ui_page import GRADIO_WARNING, free_port, in_a_loop

pytestmark = GRADIO_WARNING


def empty_page() -> gr.Blocks:
    with gr.Blocks(analytics_enabled=False) as blocks:
        gr.Textbox()
    return blocks.queue()


def test_gradio_still_has_what_is_set_of_it_and_it_is_set() -> None:
    """Its queue's pauses have no public name: an update that renames them must not go unnoticed."""
    blocks = in_a_loop(empty_page)
    names = ("sleep_when_free", "progress_update_sleep_when_free")
    before = [getattr(blocks._queue, name) for name in names]
    interval = sys.getswitchinterval()
    in_a_loop(lambda: launch(blocks, Place(host="127.0.0.1", port=free_port())))
    try:
        assert all(getattr(blocks._queue, name) > pause for name, pause in zip(names, before, strict=True))
        assert sys.getswitchinterval() < 0.005
        idle = blocks._queue.sleep_when_free
        blocks._queue.active_jobs[0] = [SimpleNamespace(progress_pending=False)]
        assert blocks._queue.sleep_when_free > 2 * idle
    finally:
        blocks.close(verbose=False)
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "a" * 300, "host.invalid"])
def test_an_address_that_is_not_this_machine_s_is_told_at_once(host: str) -> None:
    models = Models("bundled", {"bundled": BackgroundModel(lambda: pytest.fail("loaded"))})
    with pytest.raises(PlaceError, match=r"^--host .* is no address on which this machine can listen\.$"):
        serve(models, Place(host=host), default=Recipe())
