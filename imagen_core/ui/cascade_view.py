"""The one live output of the page: three lanes that a run's messages fill."""

from __future__ import annotations

import gradio as gr

from imagen_core.ui.animation import make_animation
from imagen_core.ui.qr_code import make_qr_code
from imagen_core.ui.theme import asset

_SCRIPTS = (
    "kept_file.js",
    "frames.js",
    "filmstrip.js",
    "picture.js",
    "lane.js",
    "kept_run.js",
    "zoom.js",
    "timeline.js",
    "chart.js",
    "instruments.js",
    "word_maps.js",
    "video.js",
    "film.js",
    "status.js",
    "tabs.js",
    "losses.js",
    "seen.js",
    "sent_run.js",
    "stop_button.js",
    "queue.js",
    "qr_code.js",
    "history_store.js",
    "clipboard.js",
    "result.js",
    "run_memory.js",
    "runs.js",
    "fork.js",
    "restyle.js",
    "page.js",
    "view.js",
    "thresholds.js",
)


def cascade_view() -> gr.HTML:
    """The view; its value is the newest message of `messages.py`."""
    return gr.HTML(
        value={"kind": "none"},
        html_template=asset("view.html"),
        js_on_load="\n".join(asset(name) for name in _SCRIPTS),
        server_functions=[make_animation, make_qr_code],
        apply_default_css=False,
        elem_id="view",
    )
