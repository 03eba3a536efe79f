"""The tab of sweeps: what varies along a row and down, and the table of cells."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from imagen_core.sweep_axis import FIELDS
from imagen_core.ui.form import Form
from imagen_core.ui.model import Models
from imagen_core.ui.openings import Openings
from imagen_core.ui.promoting import Promoting
from imagen_core.ui.run_panel import RunPanel, buttons, run_panel
from imagen_core.ui.sweep_handlers import NO_AXIS, AxisControls, SweepControls, SweepHandlers


@dataclass(frozen=True)
class SweepPanel:
    """The tab, to connect it."""

    handlers: SweepHandlers
    promoting: Promoting
    run: RunPanel

    def connect(self, page: Openings, sampler: str) -> None:
        """Buttons draw and stop, cells are promoted and opened."""
        handlers = self.handlers
        self.run.connect(handlers.draw, handlers.inputs(), handlers.stop, self.promoting, page, sampler)


def sweep_panel(models: Models, form: Form, address: str) -> SweepPanel:
    """Place the tab's content."""
    with gr.Column(elem_id="sweep-panel"):
        with gr.Row(elem_id="sweep-ask"):
            axes = (
                _axis("x", "Along a row", "base.guidance_scale", "1, 2, 4, 8"),
                _axis("y", "Down", NO_AXIS, ""),
            )
            draw, stop = buttons("sweep", "Draw the sweep")
        run = run_panel("sweep", draw, stop)
    handlers = SweepHandlers(models, form, SweepControls(axes, run.view), address)
    return SweepPanel(handlers, Promoting(models), run)


def _axis(place: str, label: str, name: str, values: str) -> AxisControls:
    names = [NO_AXIS, *FIELDS] if place == "y" else list(FIELDS)
    return AxisControls(
        gr.Dropdown(
            names,
            value=name,
            label=label,
            elem_id=f"field-sweep-{place}",
            info="base is the 64-pixel stage; sr256 and sr1024 enlarge it.",
        ),
        gr.Textbox(
            values,
            label=f"Values {label.lower()}",
            info="1, 2, 4 or 1..9 step 2. Prompts: a {red|blue} apple.",
            lines=2,  # with one line gradio takes Enter for the end of what is typed
            max_lines=6,
            elem_id=f"field-sweep-{place}-values",
        ),
    )
