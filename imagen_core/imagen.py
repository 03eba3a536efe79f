"""The library's front door.

from imagen_core import Imagen

imagen = Imagen.from_pretrained("bundled")
imagen.generate_image("a red apple on a wooden table", seed=7).save("apple.png")
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

from imagen_core.cascade import Cascade
from imagen_core.cascade import Run as Run
from imagen_core.checkpoints import CheckpointError, bundled_folder, load
from imagen_core.events import StageFinished
from imagen_core.images import to_pil
from imagen_core.presets import LOCAL, PRESETS
from imagen_core.recipe import STAGES, Recipe, RecipeError
from imagen_core.text_encoder import Reading


class Imagen:
    """A cascade with the name that recipes know it by."""

    def __init__(self, cascade: Cascade, default: Recipe) -> None:
        """Take a cascade and the recipe that a prompt alone stands for; `default.model` is the model's name."""
        self.cascade = cascade
        self._default = default

    @classmethod
    def from_pretrained(cls, name: str = "bundled", device: str | None = None) -> Imagen:
        """Load a model: the name of a preset ("bundled"), or a model folder. Nothing is downloaded.

        device: as torch writes it; by default the first CUDA device where there is one, else the processor.

        Raises:
            CheckpointError: there is no such model, or a file of it is missing or damaged.
        """
        where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        if name == "bundled":
            return cls(load(bundled_folder(), where), PRESETS["bundled"].recipe)
        if not Path(name).is_dir():
            raise CheckpointError(f"{name!r} is neither a model folder nor one of the presets: {', '.join(PRESETS)}.")
        return cls(load(Path(name), where), Recipe(model=LOCAL))

    @property
    def name(self) -> str:
        """The model's name in recipes."""
        return self._default.model

    def recipe(self, prompt: str = "", seed: int = 0) -> Recipe:
        """This model's default recipe for a prompt; change it with `dataclasses.replace` or `Recipe.updated`."""
        return replace(self._default, prompt=prompt, seed=seed)

    def tokens(self, prompt: str) -> Reading:
        """How the text encoder sees a prompt: tokens, cut point, unknown words. Runs no network.

        Raises:
            RecipeError: a recipe could not hold the prompt either.
        """
        return self.cascade.text_encoder.read(self.recipe(prompt).prompt)

    def stream(self, recipe: Recipe) -> Run:
        """Draw a recipe: an iterator of events (see `imagen_core.events`) with `close()` to stop it.

        Raises:
            RecipeError: the recipe is for another model.
        """
        if recipe.model != self.name:
            raise RecipeError("model", f"must be {self.name}, which is loaded, not {recipe.model}")
        return self.cascade.run(recipe)

    def warm_up(self) -> None:
        """Run one step of every stage, so that the first picture does not wait for imports and first-time set-up."""
        one_step: dict[str, object] = {stage: {"num_steps": 1} for stage in STAGES}
        self.generate(self.recipe("warm up").updated(one_step))

    def generate(self, recipe: Recipe) -> list[Image.Image]:
        """Draw a recipe to its end: the last stage's pictures.

        Raises:
            RecipeError: the recipe is for another model.
            StageError: a stage could not go on.
        """
        finished = [event for event in self.stream(recipe) if isinstance(event, StageFinished)]
        return to_pil(finished[-1].x_0)

    def generate_image(
        self, prompt: str, seed: int = 0, guidance_scale: float | None = None, num_steps: int | None = None
    ) -> Image.Image:
        """Draw one picture; guidance_scale and num_steps are those of the base stage.

        Raises:
            RecipeError: a value is out of range.
            StageError: a stage could not go on.
        """
        given = {"guidance_scale": guidance_scale, "num_steps": num_steps}
        base = {name: value for name, value in given.items() if value is not None}
        return self.generate(self.recipe(prompt, seed).updated({"base": base}))[0]
