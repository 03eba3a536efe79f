"""Where a page is served, and what it is served with."""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from importlib.util import find_spec

import gradio as gr
from gradio.queueing import Queue

from imagen_core.recipe import Recipe
from imagen_core.ui.demo import build
from imagen_core.ui.model import Models
from imagen_core.ui.theme import PAGE_FOLDER, asset, theme

# Seconds between two looks of gradio's queue for work, while there is none and while a picture is drawn. Its own on
# Linux are a thousandth and a hundredth, which take 7 % of a core of an idle page, and more than that of a picture on
# two cores: each look takes a core away from one of the threads that draw, and the other waits for it.
_LOOKS = 0.005
_LOOKS_WHILE_DRAWING = 0.05  # then whoever comes waits for the one thread that draws anyway
_PROGRESS_LOOKS = 0.1  # for `gr.Progress`, which the page does not use
# Seconds that a thread that draws waits at most for the interpreter, which it asks for hundreds of times a step, while
# another thread packs a message. Python's own are ten times as many.
_WAITS = 0.0005
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


class _Queue(Queue):
    """Gradio's queue, which looks for work less often while there is some."""

    @property
    def sleep_when_free(self) -> float:
        """Seconds between two looks."""
        return _LOOKS if not any(self.active_jobs) else _LOOKS_WHILE_DRAWING

    @sleep_when_free.setter
    def sleep_when_free(self, value: float) -> None:
        pass  # gradio sets its own


def launch(blocks: gr.Blocks, place: Place, *, quiet: bool = True) -> str:
    """Serve the page in threads of its own and return its address; unless `quiet`, print it.

    Raises OSError where the port is taken.
    """
    sys.setswitchinterval(_WAITS)
    blocks._queue.__class__ = _Queue
    blocks._queue.progress_update_sleep_when_free = _PROGRESS_LOOKS
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
    blocks.config["connect_heartbeat"] = False  # `leaving.py` tells why, and what is in its place
    return str(url)


def _check_host(host: str | None) -> None:
    """Raise `PlaceError` for an address on which this machine cannot listen: gradio would try port after port there."""
    if host is None:
        return
    try:
        family, kind, protocol, _, found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listening:
            listening.bind(found)
    except (OSError, UnicodeError):
        raise PlaceError(f"--host {host} is no address on which this machine can listen.") from None


def serve(models: Models, place: Place, *, default: Recipe, address: str = "") -> None:
    """Serve the page; its first model loads as soon as the page is there. Returns when the process is told to end.

    Raises PlaceError.
    """
    if place.mcp and find_spec("mcp") is None:
        raise PlaceError('--mcp needs a package that is not installed: pip install "gradio[mcp]==6.31.0"')
    _check_host(place.host)
    blocks = build(models, default=default, address=address)
    try:
        launch(blocks, place, quiet=False)
    except OSError as error:
        problem = "The ports from 7860 on" if place.port is None else f"Port {place.port}"
        why = f" ({error})" if place.port is None else ""  # gradio's own words, which name an argument of its own
        raise PlaceError(f"{problem} cannot be used{why}: choose another one with --port.") from None
    models.first.load_ahead()
    blocks.block_thread()
