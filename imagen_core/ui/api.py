"""The one public function for programs: settings in, the run's events out, at the end a PNG file and its recipe."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import gradio as gr

from imagen_core.recipe import Recipe
from imagen_core.sampling_thread import Closable
from imagen_core.ui.drawing import Order, drawing
from imagen_core.ui.errors import sentence
from imagen_core.ui.messages import Message, Messages
from imagen_core.ui.model import BackgroundModel
from imagen_core.zero_gpu import lent


class _Failed(Exception):
    """A drawing ended with a sentence."""


Drawn = tuple[str | None, dict[str, object] | None, Message]


def publish_generate(model: BackgroundModel, default: Recipe, concurrency_id: str) -> None:
    """Publish `/generate`; nothing of it is seen on the page."""
    inputs = [
        gr.Textbox(label="prompt", visible=False),
        gr.Number(default.base.guidance_scale, label="guidance_scale", visible=False),
        gr.Number(default.base.num_steps, label="num_steps", visible=False),
        gr.Number(default.seed, label="seed", visible=False),
        gr.Textbox(default.negative_prompt, label="negative_prompt", visible=False),
    ]
    outputs = [
        gr.File(label="png", visible=False),
        gr.JSON(label="recipe", visible=False),
        gr.JSON(label="event", visible=False),
    ]
    trigger = gr.Button(visible=False)
    trigger.click(
        generate_function(model, default),
        inputs,
        outputs,
        api_name="generate",
        concurrency_id=concurrency_id,
        show_progress="hidden",
    )


def generate_function(model: BackgroundModel, default: Recipe) -> Callable[..., Iterator[Drawn]]:
    """The function behind `/generate`. A caller who hangs up ends the run before its next event."""
    work = lent(drawing({default.model: model}))

    def drawn(recipe: Recipe) -> Iterator[Drawn]:
        model.get()  # here, because a process that is forked for the drawing has what is loaded by then
        runs: list[Closable] = []
        try:
            for message in work(Order(recipe, Messages()), runs.append):
                if message["kind"] == "failed":
                    raise _Failed(message["text"])
                if message["kind"] != "finished":
                    yield None, None, message
                    continue
                with tempfile.TemporaryDirectory(prefix="imagen-") as folder:
                    (file,) = message["files"]
                    path = Path(folder) / file["name"]
                    path.write_bytes(file["png"])
                    yield str(path), recipe.to_dict(), message | {"files": []}
        finally:
            for run in runs:
                run.close()

    def generate(
        prompt: str, guidance_scale: float, num_steps: int, seed: int, negative_prompt: str
    ) -> Iterator[Drawn]:
        """Draw one picture; stream (null, null, event) while it is drawn, then (png, recipe, last event).

        An event has a "kind": "stage" (a stage begins), "step" (one denoising step, with its previews as data URIs
        in "x_0" and "x_t", its instruments in "stats", the steps just before it in "between", and "done" if it
        ends its stage), "stage_done" (of a stage that was kept from an earlier run), at the end "finished".

        Args:
            prompt: What to draw, in English, at most 1,000 characters.
            guidance_scale: How strongly the 64-pixel stage follows the prompt, 0 to 30; 1 is off.
            num_steps: Denoising steps of the 64-pixel stage, 1 to 250.
            seed: Which noise to begin with, 0 to 4294967295. The same seed and settings draw the same picture.
            negative_prompt: What the guidance moves away from; empty for nothing.
        """
        base = {"guidance_scale": guidance_scale, "num_steps": _whole(num_steps)}
        values = {"prompt": prompt, "negative_prompt": negative_prompt, "seed": _whole(seed), "base": base}
        try:
            yield from drawn(default.updated(values))
        except _Failed as error:
            raise gr.Error(str(error), print_exception=False) from None
        except Exception as error:
            raise gr.Error(sentence(error), print_exception=False) from None

    return generate


def _whole(number: float) -> float:
    """24 for 24.0: gradio publishes its numbers as floats, so programs send them. Anything else as it is."""
    return int(number) if isinstance(number, float) and number.is_integer() else number
