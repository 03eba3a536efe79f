"""The one public function for programs: a prompt and a few settings in, a PNG file and its recipe out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import gradio as gr

from imagen_core.events import StageFinished
from imagen_core.metadata import save_png
from imagen_core.recipe import Recipe
from imagen_core.ui.errors import sentence
from imagen_core.ui.handlers import file_name
from imagen_core.ui.model import BackgroundModel

Drawn = tuple[str, dict[str, object]]


def publish_generate(model: BackgroundModel, default: Recipe, concurrency_id: str) -> None:
    """Publish `/generate`; nothing of it is seen on the page."""
    inputs = [
        gr.Textbox(label="prompt", visible=False),
        gr.Number(default.base.guidance_scale, label="guidance_scale", visible=False),
        gr.Number(default.base.num_steps, label="num_steps", visible=False),
        gr.Number(default.seed, label="seed", visible=False),
        gr.Textbox(default.negative_prompt, label="negative_prompt", visible=False),
    ]
    outputs = [gr.File(label="png", visible=False), gr.JSON(label="recipe", visible=False)]
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
    """The function behind `/generate`: it answers once, with the finished picture."""

    def generate(
        prompt: str, guidance_scale: float, num_steps: int, seed: int, negative_prompt: str
    ) -> Iterator[Drawn]:
        """Draw one picture; return it as a PNG file that carries its recipe, and that recipe as JSON.

        Args:
            prompt: What to draw, in English, at most 1,000 characters.
            guidance_scale: How strongly the 64-pixel stage follows the prompt, 0 to 30; 1 is off.
            num_steps: Denoising steps of the 64-pixel stage, 1 to 250.
            seed: Which noise to begin with, 0 to 4294967295. The same seed and settings draw the same picture.
            negative_prompt: What the guidance moves away from; empty for nothing.
        """
        from imagen_core.images import to_pil

        base = {"guidance_scale": guidance_scale, "num_steps": num_steps}
        values = {"prompt": prompt, "negative_prompt": negative_prompt, "seed": seed, "base": base}
        try:
            recipe = default.updated(values)
            run = model.get().stream(recipe)
            try:
                finished = [event for event in run if isinstance(event, StageFinished)]
            finally:
                run.close()
            with tempfile.TemporaryDirectory(prefix="imagen-") as folder:
                path = Path(folder) / file_name(recipe)
                save_png(to_pil(finished[-1].x_0)[0], recipe, path)
                yield str(path), recipe.to_dict()
        except Exception as error:
            raise gr.Error(sentence(error), print_exception=False) from None

    return generate
