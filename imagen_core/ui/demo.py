"""The page: places the panels and connects them. `serving.py` serves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from imagen_core.presets import PRESETS
from imagen_core.recipe import Recipe
from imagen_core.ui.about_panel import about_panel
from imagen_core.ui.api import publish_generate
from imagen_core.ui.cascade_view import cascade_view
from imagen_core.ui.drafts_panel import drafts_panel
from imagen_core.ui.form import Form
from imagen_core.ui.handlers import Handlers
from imagen_core.ui.history_panel import history_panel, question
from imagen_core.ui.leaving import connect_leaving
from imagen_core.ui.model import Models
from imagen_core.ui.openings import Openings, Outputs, connect_openings
from imagen_core.ui.prompt_panel import PromptPanel, examples, prompt_panel
from imagen_core.ui.reading import prompt_reader, telling
from imagen_core.ui.recalling import connect_arrival, connect_recall
from imagen_core.ui.restyling import connect_restyling
from imagen_core.ui.settings_panel import QuickSettings, quick_settings, stage_settings
from imagen_core.ui.sweep_panel import sweep_panel
from imagen_core.ui.theme import asset
from imagen_core.ui.variation_panel import connect_variations, variation_panel
from imagen_core.ui.vocabulary_panel import vocabulary_panel
from imagen_core.ui.words_panel import word_maps_switch, words_panel

_SAMPLER = "sampler"  # everything that draws waits in one queue, so that two runs do not share two cores
_QUEUE = 32  # visitors that may wait
# Before a run: tell the view, give a seed that is not locked a new value, and take the place of a fork from the view,
# and the run whose steps are gone. Nothing while a run goes on.
_BEGIN = """(lock, seed, fork, anew) => {
  if (document.body.hasAttribute('data-running')) return [seed, fork, anew];
  window.dispatchEvent(new Event('imagen:begin'));
  const drawn = lock ? seed : Math.floor(Math.random() * 4294967296);
  return [drawn, window.imagenFork || '', window.imagenAnew || ''];
}"""
_OPEN = "<p class='note'>Every PNG made here carries its recipe. Choose one, or drop it anywhere on the page.</p>"
_LOST = "() => { window.dispatchEvent(new Event('imagen:lost')); }"
_LOST_COMPARISON = "() => { window.dispatchEvent(new Event('imagen:lost-comparison')); }"


@dataclass(frozen=True)
class _Output:
    """The live view, and the line that tells the place in the queue."""

    queue: gr.HTML
    view: gr.HTML


def build(models: Models, *, default: Recipe | None = None, address: str = "") -> gr.Blocks:
    """The page around some models; opening it makes the first of them load, where it has not begun to.

    `default` is the recipe that the form begins with, by default the bundled model's. `address` is where visitors find
    the page when it is not the address of the page itself (inside a Space).
    """
    default = default or PRESETS["bundled"].recipe
    blocks = gr.Blocks(title="Imagen", analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600))
    with blocks:
        gr.HTML(asset("masthead.html"), apply_default_css=False, elem_id="masthead")
        with gr.Tab("Create"), gr.Column(elem_id="studio"):
            with gr.Column(elem_id="ask"):
                panel = prompt_panel(read_prompt := prompt_reader(models))
                words_panel()
                quick = quick_settings(default, tuple(models.offered))
            with gr.Column(elem_id="watch"):
                examples(panel.prompt, models.first)
                asked = question()
                output = _Output(queue=gr.HTML(elem_id="queue"), view=cascade_view())
            with gr.Column(elem_id="settings"):
                attention = word_maps_switch()
                variations = variation_panel(default, read_prompt)
                stages = stage_settings(default, read_prompt)
                picture = gr.UploadButton("Open a picture's recipe", file_types=[".png"], elem_id="open", size="md")
                gr.HTML(_OPEN, apply_default_css=False)
                # Here, because a component between two tabs parts their row in two.
                fork, anew = (gr.Textbox(label=label, elem_classes="unseen") for label in ("Fork", "Anew"))
        controls = {"prompt": panel.prompt, **quick.controls, **variations.controls, **stages}
        connect_variations(variations, quick)
        form = Form(controls, default, fork)
        with gr.Tab("Drafts"):
            drafts = drafts_panel(models, form)
        with gr.Tab("Sweep"):
            sweep = sweep_panel(models, form, address)
        with gr.Tab("History"):
            history = history_panel()
        with gr.Tab("About"):
            about_panel(tuple(models.offered))
            vocabulary_panel(models.first)
        kept = (gr.State(None), gr.State(None), gr.State(None))
        openings = Openings(
            models, form, Outputs(output.view, quick.lock, asked, *kept, attention, anew, sweep.handlers.controls)
        )
        handlers = Handlers(models, form, openings.outputs, address)
        _connect_run(handlers, openings, panel, quick, output)
        _connect_comparison(handlers, output)
        drafts.connect(openings, _SAMPLER)
        sweep.connect(openings, _SAMPLER)
        if isinstance(menu := form.controls.get("model"), gr.Dropdown):
            menu.change(None, menu, None, js=telling("model"), api_visibility="private")
            hidden: dict[str, Any] = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
            chosen = menu.input(handlers.choose_model, set(form.controls.values()), openings.changed, **hidden)
            chosen.then(handlers.tell_memory, set(form.controls.values()), [output.view], **hidden)
        connect_arrival(blocks, openings, panel.generate)
        connect_openings(openings, picture, history)
        connect_restyling(openings)
        connect_recall(openings)
        blocks.load(models.first.load_ahead, None, None, queue=False, api_visibility="private", show_progress="hidden")
        parts = (handlers, drafts.handlers, drafts.promoting, sweep.handlers, sweep.promoting)
        connect_leaving(blocks, [part.leave for part in parts])
        publish_generate(models.first, default, _SAMPLER)
    blocks.queue(max_size=_QUEUE, default_concurrency_limit=1)
    return blocks


def _connect_run(
    handlers: Handlers, openings: Openings, panel: PromptPanel, quick: QuickSettings, output: _Output
) -> None:
    """Generate and Enter begin a run, Stop ends it."""
    controls = openings.form.controls
    seed, fork, anew = controls["seed"], openings.form.fork, openings.outputs.anew
    assert fork is not None
    begun = gr.on(
        [panel.generate.click, panel.prompt.submit],
        None,
        [quick.lock, seed, fork, anew],
        [seed, fork, anew],
        js=_BEGIN,
        api_visibility="private",
    )
    drawn = begun.then(
        handlers.draw,
        {*controls.values(), fork, anew, openings.outputs.shared, openings.outputs.attention},
        output.view,
        api_name="draw",
        api_visibility="private",
        concurrency_id=_SAMPLER,
        show_progress="minimal",
        show_progress_on=output.queue,
        trigger_mode="once",
        # The recipe's own rules read what comes, and gradio would change to another thread and back for every control
        # before the run and for every message in it.
        preprocess=False,
        postprocess=False,
    )
    begun.then(
        openings.settle,
        set(controls.values()),
        openings.outputs.settled,
        queue=False,
        api_visibility="private",
        show_progress="hidden",
    )
    drawn.failure(None, js=_LOST, api_visibility="private")
    panel.stop.click(handlers.stop, None, output.view, queue=False, api_visibility="private", show_progress="hidden")
    panel.stop.click(None, cancels=[drawn], api_visibility="private")


def _connect_comparison(handlers: Handlers, output: _Output) -> None:
    """The view asks for a comparison, and presses an unseen button to let it go: it would hold up the next run."""
    compared = output.view.submit(
        handlers.compare,
        None,
        output.view,
        api_visibility="private",
        concurrency_id=_SAMPLER,
        show_progress="hidden",
        trigger_mode="multiple",
    )
    compared.failure(None, js=_LOST_COMPARISON, api_visibility="private")
    button = gr.Button("Stop comparing", elem_id="stop-comparison", elem_classes="unseen")
    # Out of the queue first: where the next run has joined it by then, gradio goes on telling it the place that it had.
    button.click(None, cancels=[compared], api_visibility="private")
    button.click(handlers.stop_comparing, queue=False, api_visibility="private", show_progress="hidden")
