"""The top of the page: the prompt, what the text encoder will read of it, the buttons; and examples."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import gradio as gr

from imagen_core.ui.theme import asset

_TELL = "(text) => { window.dispatchEvent(new CustomEvent('imagen:prompt', { detail: text })); }"
_GENERATE = "() => { document.querySelector('#generate').click(); }"


@dataclass(frozen=True)
class PromptPanel:
    """What the rest of the page connects to."""

    prompt: gr.Textbox
    generate: gr.Button
    stop: gr.Button


def prompt_panel(read_prompt: Callable[[object], dict[str, object]]) -> PromptPanel:
    """Place the panel; `read_prompt` answers the browser while a prompt is typed."""
    prompt = gr.Textbox(
        label="Prompt",
        placeholder="What shall be drawn?",
        lines=1,
        max_lines=6,
        elem_id="field-prompt",
        html_attributes=gr.InputHTMLAttributes(spellcheck=True, autocapitalize="off"),
    )
    gr.HTML(
        html_template='<p class="reading" aria-live="polite"></p>',
        js_on_load=asset("reading.js"),
        server_functions=[read_prompt],
        apply_default_css=False,
        elem_id="reading",
    )
    prompt.change(None, prompt, None, js=_TELL, api_visibility="private")
    with gr.Row(elem_id="run-buttons"):
        generate = gr.Button("Generate", variant="primary", elem_id="generate")
        stop = gr.Button("Stop", variant="stop", elem_id="stop")
    return PromptPanel(prompt, generate, stop)


def examples(prompt: gr.Textbox) -> None:
    """Place the examples; a click fills in the prompt and begins."""
    with gr.Column(elem_id="examples"):
        gr.HTML('<p class="examples-title">Try one</p>', apply_default_css=False)
        with gr.Row(elem_classes="chips"):
            for text in json.loads(asset("examples.json")):
                chip = gr.Button(text, size="sm", elem_classes="chip", min_width=0)
                filled = chip.click(None, None, prompt, js=f"() => {json.dumps(text)}", api_visibility="private")
                filled.then(None, None, None, js=_GENERATE, api_visibility="private")
