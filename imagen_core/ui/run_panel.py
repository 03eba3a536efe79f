"""A tab that draws many pictures: its buttons, its line in the queue and its view, and how they are connected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from imagen_core.ui.messages import Message
from imagen_core.ui.openings import Openings
from imagen_core.ui.promoting import Promoting
from imagen_core.ui.theme import asset

Draw = Callable[[Mapping[Component, object], gr.Request], Iterator[Message]]
Stop = Callable[[gr.Request], Message]


@dataclass(frozen=True)
class RunPanel:
    """The parts of a tab; `name` is what the browser's scripts know it by."""

    name: str
    draw: gr.Button
    stop: gr.Button
    queue: gr.HTML
    view: gr.HTML

    def connect(
        self, draw: Draw, inputs: set[Component], stop: Stop, promoting: Promoting, page: Openings, sampler: str
    ) -> None:
        """Buttons draw and stop, what was drawn is promoted and opened; one at a time of all that `sampler` names."""
        begin, lost = (
            f"() => {{ window.dispatchEvent(new Event('imagen:{event}-{self.name}')); }}" for event in ("begin", "lost")
        )
        waiting: dict[str, Any] = {
            "api_visibility": "private",
            "concurrency_id": sampler,
            "show_progress": "minimal",
            "show_progress_on": self.queue,
            "trigger_mode": "once",
        }
        begun = self.draw.click(None, js=begin, api_visibility="private")
        drawn = begun.then(
            draw,
            inputs,
            self.view,
            api_name=f"draw_{self.name}",
            **waiting,
        )
        hidden: dict[str, Any] = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
        # Its pictures are of the form's settings: opening one of them loses nothing.
        begun.then(page.settle, set(page.form.controls.values()), page.outputs.settled, **hidden)
        promoted = self.view.promote(
            promoting.promote,
            None,
            self.view,
            api_name=f"promote_{self.name}",
            **waiting,
        )
        for run in (drawn, promoted):
            run.failure(None, js=lost, api_visibility="private")
        self.view.choose(page.open_chosen, page.known, page.changed, **hidden)
        for end in (stop, promoting.stop):
            self.stop.click(end, None, self.view, **hidden)
        self.stop.click(None, cancels=[drawn, promoted], api_visibility="private")


def buttons(name: str, text: str) -> tuple[gr.Button, gr.Button]:
    """Place the button that draws, with this text, and the one that stops."""
    with gr.Row(elem_classes="run-buttons"):
        draw = gr.Button(text, variant="primary", elem_id=f"draw-{name}")
        return draw, gr.Button("Stop", variant="stop", elem_id=f"stop-{name}")


def run_panel(name: str, draw: gr.Button, stop: gr.Button) -> RunPanel:
    """Place the line in the queue and the view."""
    waiting = ("losses.js", "seen.js", "sent_run.js", "stop_button.js", "queue.js", "run_state.js")
    shared = ("status.js", "tabs.js", "clipboard.js", *waiting, "history_store.js", "kept_file.js", "promoted.js")
    queue = gr.HTML(elem_id=f"{name}-queue", elem_classes="queue")
    view = gr.HTML(
        value={"kind": "none"},
        html_template=asset(f"{name}.html"),
        js_on_load="\n".join(asset(script) for script in (*shared, f"{name}.js")),
        apply_default_css=False,
        elem_id=name,
    )
    return RunPanel(name, draw, stop, queue, view)
