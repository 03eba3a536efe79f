"""What the browser has kept of this visit and brings back: an earlier run, and the form when the page is loaded anew.

Gradio loads the page anew, unasked, where a connection that broke is there again, and a browser does where a visitor
goes back to it; what was typed would be lost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import gradio as gr
from gradio.components import Component

from imagen_core.ui.openings import Answer, Openings

_RECALL = "() => window.imagenRecall"  # the link of an earlier run, which the view has put there
# In the session's storage, which ends with the browser's tab. Not before the page has brought back what is there.
_KEEP = """(...values) => {
  if (!window.imagenArrived) return;
  const form = Object.fromEntries(%s.map((name, place) => [name, values[place]]));
  form.fork = window.imagenFork || '';
  try {
    sessionStorage.setItem('imagen:form', JSON.stringify(form));
  } catch {} // forbidden in this window, or full
}"""
_KEPT = """() => {
  const [visit] = performance.getEntriesByType('navigation');
  try {
    if (visit && ['reload', 'back_forward'].includes(visit.type)) return sessionStorage.getItem('imagen:form') || '';
    sessionStorage.removeItem('imagen:form');
  } catch {} // forbidden in this window
  return '';
}"""
_ARRIVED = "() => { window.imagenArrived = true; window.dispatchEvent(new Event('imagen:replay')); }"
_MAX_LENGTH = 200_000  # characters
_LOCK = "lock"  # beside the names of the form's controls


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


def connect_arrival(blocks: gr.Blocks, openings: Openings, generate: gr.Button) -> None:
    """Keep the form and its fork as they change; who arrives finds them again, or what the page's address holds."""
    named = {**openings.form.controls, _LOCK: openings.outputs.lock}
    shown = {name: control for name, control in named.items() if not isinstance(control, gr.State)}
    changes = [control.change for control in shown.values()]  # type: ignore[attr-defined]
    keep = _KEEP % json.dumps(list(shown))
    fork = gr.Button("Keep the form", elem_id="keep-form", elem_classes="unseen")  # pressed where the fork changes
    gr.on([*changes, generate.click, fork.click], None, list(shown.values()), None, js=keep, api_visibility="private")
    kept = gr.Textbox(elem_classes="unseen")
    read = blocks.load(None, None, kept, js=_KEPT, api_visibility="private")

    def arrive(text: object, request: gr.Request) -> Answer:
        form = _form(text)
        return openings.bring_back(form, openings.axes_in_link(request)) if form else openings.open_link(request)

    opened = read.then(arrive, kept, openings.changed, queue=False, api_visibility="private", show_progress="hidden")
    opened.then(None, js=_ARRIVED, api_visibility="private")


def _form(text: object) -> Mapping[str, object]:
    """The values of controls by their names in what a browser has kept, which may be anything; {} for nothing."""
    try:
        form = json.loads(text) if isinstance(text, str) and 0 < len(text) <= _MAX_LENGTH else None
    except (ValueError, RecursionError):
        form = None
    return form if isinstance(form, Mapping) else {}
