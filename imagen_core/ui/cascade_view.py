"""The one live output of the page: three lanes that a run's messages fill."""

from __future__ import annotations

import gradio as gr

from imagen_core.ui.theme import asset

_SCRIPTS = ("frames.js", "filmstrip.js", "lane.js", "status.js", "result.js", "page.js", "view.js")


def cascade_view() -> gr.HTML:
    """The view; its value is the newest message of `messages.py`."""
    return gr.HTML(
        value={"kind": "none"},
        html_template=asset("view.html"),
        js_on_load="\n".join(asset(name) for name in _SCRIPTS),
        apply_default_css=False,
        elem_id="view",
    )
