"""What the browser has kept of this visit and brings back into the form."""

from __future__ import annotations

from collections.abc import Mapping

import gradio as gr
from gradio.components import Component

from imagen_core.ui.openings import Answer, Openings

_RECALL = "() => window.imagenRecall"  # the link of an earlier run, which the view has put there


def connect_recall(openings: Openings) -> None:
    """Place what the view presses to bring an earlier run back."""

    def recall(values: Mapping[Component, object]) -> Answer:
        return openings.recall(values[link], values)

    button = gr.Button("Recall", elem_id="recall", elem_classes="unseen")
    link = gr.Textbox(elem_classes="unseen")
    button.click(None, None, link, js=_RECALL, api_visibility="private").then(
        recall,
        {*openings.known, link},
        openings.changed,
        queue=False,
        api_visibility="private",
        show_progress="hidden",
    )
