"""The history, which lives in the browser, and the question before an opened recipe overwrites a form."""

from __future__ import annotations

import gradio as gr

from imagen_core.ui.history_file import read_history
from imagen_core.ui.theme import asset


def history_panel() -> gr.HTML:
    """Place the list; its event `select` comes with the link of the entry that is to be opened."""
    return gr.HTML(
        html_template=asset("history.html"),
        js_on_load=f"{asset('history_store.js')}\n{asset('history.js')}",
        server_functions=[read_history],
        apply_default_css=False,
        elem_id="history",
    )


def question() -> gr.HTML:
    """Place the question; it is asked when its value has a "text", and its event `submit` means yes."""
    return gr.HTML(
        value={"text": ""},
        html_template=asset("question.html"),
        js_on_load=asset("question.js"),
        apply_default_css=False,
        elem_id="question",
    )
