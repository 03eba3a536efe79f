"""The tab of drafts: how many, which variations of the prompt, and the wall with all that is promoted of it."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from imagen_core.drafts import MAX_DRAFTS
from imagen_core.ui.draft_handlers import DraftControls, DraftHandlers
from imagen_core.ui.form import Form
from imagen_core.ui.model import Models
from imagen_core.ui.openings import Openings
from imagen_core.ui.promoting import Promoting
from imagen_core.ui.run_panel import RunPanel, buttons, run_panel


@dataclass(frozen=True)
class DraftsPanel:
    """The tab, to connect it."""

    handlers: DraftHandlers
    promoting: Promoting
    run: RunPanel

    def connect(self, page: Openings, sampler: str) -> None:
        """Buttons draw and stop, drafts are promoted and opened."""
        handlers = self.handlers
        self.run.connect(handlers.draw, handlers.inputs(), handlers.stop, self.promoting, page, sampler)


def drafts_panel(models: Models, form: Form) -> DraftsPanel:
    """Place the tab's content."""
    with gr.Column(elem_id="drafts-panel"):
        with gr.Row(elem_id="drafts-ask"):
            num_drafts = gr.Slider(
                1, MAX_DRAFTS, 32, step=1, label="Drafts", info="Each with the next seed.", elem_id="field-num_drafts"
            )
            prompts = gr.Textbox(
                label="Prompts",
                info="One a line, {red|blue} for either. Empty: the prompt of Create.",
                lines=2,  # with one line gradio takes Enter for the end of what is typed
                max_lines=6,
                elem_id="field-prompts",
            )
            draw, stop = buttons("drafts", "Draw the wall")
        handlers = DraftHandlers(models, form, DraftControls(num_drafts, prompts))
        return DraftsPanel(handlers, Promoting(models), run_panel("drafts", draw, stop))
