"""What the model was trained to draw: a list to search, whose entries are put into the prompt."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import gradio as gr

from imagen_core.ui.errors import sentence
from imagen_core.ui.model import BackgroundModel
from imagen_core.ui.theme import asset


def vocabulary_panel(model: BackgroundModel) -> None:
    """Place the list; the browser asks for its words until the model is loaded."""

    def read_vocabulary(_: Any) -> dict[str, object]:
        """The vocabulary; or {"loading": true}; or the problem; or {} where the model has none."""
        if model.failure:
            return {"problem": sentence(model.failure)}
        if (imagen := model.loaded) is None:
            return {} if model.gave_way else {"loading": True}
        return asdict(imagen.vocabulary) if imagen.vocabulary else {}

    gr.HTML(
        html_template=asset("vocabulary.html"),
        js_on_load=asset("vocabulary.js"),
        server_functions=[read_vocabulary],
        apply_default_css=False,
        elem_id="vocabulary",
    )
