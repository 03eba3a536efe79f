"""The page: places the panels and connects them. `build` makes it, `launch` serves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from imagen_core.presets import PRESETS
from imagen_core.recipe import Recipe
from imagen_core.ui.about_panel import about_panel
from imagen_core.ui.api import publish_generate
from imagen_core.ui.cascade_view import cascade_view
from imagen_core.ui.form import Form
from imagen_core.ui.handlers import Handlers, Outputs
from imagen_core.ui.model import BackgroundModel
from imagen_core.ui.prompt_panel import PromptPanel, examples, prompt_panel
from imagen_core.ui.reading import prompt_reader
from imagen_core.ui.settings_panel import QuickSettings, quick_settings, stage_settings
from imagen_core.ui.theme import PAGE_FOLDER, asset, theme

if TYPE_CHECKING:
    from imagen_core.imagen import Imagen

_SAMPLER = "sampler"  # everything that draws waits in one queue, so that two runs do not share two cores
_QUEUE = 32  # visitors that may wait
# Before a run: tell the view, and give a seed that is not locked a new value. Nothing while a run goes on.
_BEGIN = """(lock, seed) => {
  if (document.body.hasAttribute('data-running')) return seed;
  window.dispatchEvent(new Event('imagen:begin'));
  return lock ? seed : Math.floor(Math.random() * 4294967296);
}"""
_OPEN = "<p class='note'>Every PNG made here carries its recipe. Choose one, or drop it anywhere on the page.</p>"
_LOST = "() => { window.dispatchEvent(new Event('imagen:lost')); }"
_REPLAY = "() => { window.dispatchEvent(new Event('imagen:replay')); }"


@dataclass(frozen=True)
class Place:
    """Where a page is served: host and port (None: the usual ones), and whether through a public tunnel."""

    host: str | None = None
    port: int | None = None
    share: bool = False


@dataclass(frozen=True)
class _Output:
    """The live view, and the line that tells the place in the queue."""

    queue: gr.HTML
    view: gr.HTML


def build(load: Callable[[], Imagen], *, default: Recipe | None = None, address: str = "") -> gr.Blocks:
    """The page around the model that `load` gives; it is asked in the background, as soon as a page is open.

    `default` is the recipe that the form begins with, by default the bundled model's. `address` is where visitors find
    the page when it is not the address of the page itself (inside a Space).
    """
    default = default or PRESETS["bundled"].recipe
    model = BackgroundModel(load)
    blocks = gr.Blocks(title="Imagen", analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600))
    with blocks:
        gr.HTML(asset("masthead.html"), apply_default_css=False, elem_id="masthead")
        with gr.Tab("Create"), gr.Column(elem_id="studio"):
            with gr.Column(elem_id="ask"):
                panel = prompt_panel(prompt_reader(model))
                quick = quick_settings(default)
            with gr.Column(elem_id="watch"):
                examples(panel.prompt)
                output = _Output(queue=gr.HTML(elem_id="queue"), view=cascade_view())
            with gr.Column(elem_id="settings"):
                stages = stage_settings(default)
                picture = gr.UploadButton("Open a picture's recipe", file_types=[".png"], elem_id="open", size="md")
                gr.HTML(_OPEN, apply_default_css=False)
        with gr.Tab("About"):
            about_panel(default.model)
        form = Form({"prompt": panel.prompt, **quick.controls, **stages}, default)
        handlers = Handlers(model, form, Outputs(output.view, quick.lock), address)
        _connect_run(handlers, form, panel, quick, output)
        changed = [*form.controls.values(), quick.lock, output.view]
        opened = blocks.load(
            handlers.open_link, None, changed, queue=False, api_visibility="private", show_progress="hidden"
        )
        opened.then(None, js=_REPLAY, api_visibility="private")
        picture.upload(
            handlers.open_picture, picture, changed, queue=False, api_visibility="private", show_progress="hidden"
        )
        blocks.load(model.load_ahead, None, None, queue=False, api_visibility="private", show_progress="hidden")
        blocks.unload(handlers.leave)
        publish_generate(model, default, _SAMPLER)
    blocks.queue(max_size=_QUEUE, default_concurrency_limit=1)
    return blocks


def launch(blocks: gr.Blocks, place: Place, *, block: bool = True) -> str:
    """Serve the page and return its address; with `block` only when the process is told to end.

    Raises OSError where the port is taken.
    """
    _, url, _ = blocks.launch(
        server_name=place.host,
        server_port=place.port,
        share=place.share,
        theme=theme(),
        head=f"<style>{asset('page.css')}{asset('view.css')}</style>",
        favicon_path=PAGE_FOLDER / "favicon.svg",
        footer_links=["api"],
        max_file_size="10mb",
        state_session_capacity=200,
        enable_monitoring=False,
        run_history=False,
        ssr_mode=False,
        prevent_thread_lock=not block,
        quiet=not block,
    )
    return str(url)


def _connect_run(handlers: Handlers, form: Form, panel: PromptPanel, quick: QuickSettings, output: _Output) -> None:
    """Generate and Enter begin a run, Stop ends it."""
    seed = form.controls["seed"]
    begun = gr.on(
        [panel.generate.click, panel.prompt.submit],
        None,
        [quick.lock, seed],
        seed,
        js=_BEGIN,
        api_visibility="private",
    )
    drawn = begun.then(
        handlers.draw,
        set(form.controls.values()),
        output.view,
        api_name="draw",
        api_visibility="private",
        concurrency_id=_SAMPLER,
        show_progress="minimal",
        show_progress_on=output.queue,
        trigger_mode="once",
    )
    drawn.failure(None, js=_LOST, api_visibility="private")
    panel.stop.click(handlers.stop, None, output.view, queue=False, api_visibility="private", show_progress="hidden")
    panel.stop.click(None, cancels=[drawn], api_visibility="private")
