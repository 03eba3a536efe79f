"""Where a page is served, and what it is served with."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

import gradio as gr

from imagen_core.recipe import Recipe
from imagen_core.ui.demo import build
from imagen_core.ui.model import Models
from imagen_core.ui.theme import PAGE_FOLDER, asset, theme

_STYLES = ("page", "view", "timeline", "instruments", "runs", "restyle", "keep", "words", "thresholds", "drafts")


@dataclass(frozen=True)
class Place:
    """Where a page is served: host and port (None: the usual ones), and whether through a public tunnel.

    mcp: whether programs that speak the Model Context Protocol find `generate` there as a tool; that needs `mcp`.
    """

    host: str | None = None
    port: int | None = None
    share: bool = False
    mcp: bool = False


class PlaceError(RuntimeError):
    """The page cannot be served at a place; the text is one sentence."""


def launch(blocks: gr.Blocks, place: Place, *, quiet: bool = True) -> str:
    """Serve the page in threads of its own and return its address; unless `quiet`, print it.

    Raises OSError where the port is taken.
    """
    _, url, _ = blocks.launch(
        server_name=place.host,
        server_port=place.port,
        share=place.share,
        mcp_server=place.mcp,
        theme=theme(),
        head=f"<style>{''.join(asset(f'{name}.css') for name in _STYLES)}</style>",
        favicon_path=PAGE_FOLDER / "favicon.svg",
        footer_links=["api"],
        max_file_size="10mb",
        state_session_capacity=200,
        enable_monitoring=False,
        run_history=False,
        ssr_mode=False,
        prevent_thread_lock=True,
        quiet=quiet,
    )
    return str(url)


def serve(models: Models, place: Place, *, default: Recipe, address: str = "") -> None:
    """Serve the page; its first model loads as soon as the page is there. Returns when the process is told to end.

    Raises PlaceError.
    """
    if place.mcp and find_spec("mcp") is None:
        raise PlaceError('--mcp needs a package that is not installed: pip install "gradio[mcp]==6.31.0"')
    blocks = build(models, default=default, address=address)
    try:
        launch(blocks, place, quiet=False)
    except OSError as error:
        problem = f"Port {place.port or 7860} cannot be used ({error}): choose another one with --port."
        raise PlaceError(problem) from None
    models.first.load_ahead()
    blocks.block_thread()
