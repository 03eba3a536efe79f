"""The top of the page: the prompt, what the model will read of it, the buttons; and examples."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr

from imagen_core.ui.model import BackgroundModel
from imagen_core.ui.reading import Reader, reading_line
from imagen_core.ui.theme import asset

PRESS_GENERATE = "() => { document.querySelector('#generate').click(); }"


@dataclass(frozen=True)
class PromptPanel:
    """What the rest of the page connects to."""

    prompt: gr.Textbox
    generate: gr.Button
    stop: gr.Button


def prompt_panel(read_prompt: Reader) -> PromptPanel:
    """Place the panel; `read_prompt` answers the browser while a prompt is typed."""
    prompt = gr.Textbox(
        label="Prompt",
        placeholder="What shall be drawn?",
        lines=1,
        max_lines=6,
        elem_id="field-prompt",
        html_attributes=gr.InputHTMLAttributes(spellcheck=True, autocapitalize="off"),
    )
    reading_line(prompt, read_prompt, "prompt")
    with gr.Row(elem_id="run-buttons"):
        generate = gr.Button("Generate", variant="primary", elem_id="generate")
        stop = gr.Button("Stop", variant="stop", elem_id="stop")
    return PromptPanel(prompt, generate, stop)


def examples(prompt: gr.Textbox, model: BackgroundModel) -> None:
    """Place the examples, and a button that makes one up; a click fills in the prompt and begins."""
    texts = json.loads(asset("examples.json"))
    with gr.Column(elem_id="examples"):
        gr.HTML('<p class="examples-title">Try one</p>', apply_default_css=False)
        with gr.Row(elem_classes="chips"):
            made_up = gr.Button("Surprise me", size="sm", elem_classes="chip", elem_id="surprise", min_width=0)
            made_up.click(
                lambda: surprise(model, texts),
                None,
                prompt,
                queue=False,
                api_visibility="private",
                show_progress="hidden",
            ).success(None, None, None, js=PRESS_GENERATE, api_visibility="private")
            for text in texts:
                chip = gr.Button(text, size="sm", elem_classes="chip", min_width=0)
                filled = chip.click(None, None, prompt, js=f"() => {json.dumps(text)}", api_visibility="private")
                filled.then(None, None, None, js=PRESS_GENERATE, api_visibility="private")


def surprise(model: BackgroundModel, texts: Sequence[str]) -> str:
    """A prompt of words that the model knows; one of `texts` where it has no list of them, or is not there (yet)."""
    imagen = model.loaded  # who presses a button does not wait for a model
    vocabulary = imagen.vocabulary if imagen else None
    return vocabulary.surprise(random.Random()) if vocabulary else random.choice(texts)
