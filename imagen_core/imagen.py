"""The library's front door.

from imagen_core import Imagen

imagen = Imagen.from_pretrained("bundled")
image = imagen.generate_image("a red apple on a wooden table", seed=7)  # a PIL image
imagen.draw(imagen.recipe("a red apple on a wooden table", seed=7))[0].save("apple.png")  # with its recipe
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from PIL import Image

from imagen_core import deepfloyd, fingerprint
from imagen_core.cascade import Cascade
from imagen_core.check import UNKNOWN_WEIGHTS, Checks
from imagen_core.checkpoints import CheckpointError, bundled_folder, load, load_vocabulary
from imagen_core.deepfloyd_options import Options
from imagen_core.events import Event, StageFinished
from imagen_core.images import to_pil
from imagen_core.memory_plan import MemoryPlan
from imagen_core.model_names import allowed_names, model_named
from imagen_core.picture import Picture
from imagen_core.prompt_weights import parse
from imagen_core.recipe import STAGES, Recipe, RecipeError
from imagen_core.run import Run as Run
from imagen_core.shards import read_manifest
from imagen_core.text_encoder import Reading
from imagen_core.together import together
from imagen_core.vocabulary import Vocabulary


class Imagen:
    """A cascade with the name that recipes know it by."""

    def __init__(
        self,
        cascade: Cascade,
        default: Recipe,
        vocabulary: Vocabulary | None = None,
        weights: str = UNKNOWN_WEIGHTS,
    ) -> None:
        """Take a cascade and the recipe that a prompt alone stands for; `default.model` is the model's name.

        `vocabulary` is what it was trained to draw, None where nobody knows; `weights` their fingerprint.
        """
        self.cascade = cascade
        self.vocabulary = vocabulary
        self.weights = weights
        self._default = default

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str] = "bundled",
        device: str | None = None,
        options: Options | None = None,
        tell: Callable[[str], None] | None = None,
        dtype: torch.dtype | None = None,
    ) -> Imagen:
        """Load a model: the name of a preset, of a repository ("DeepFloyd/IF-I-M-v1.0"), or a model folder.

        Only repositories are fetched, and only what is not in the cache. A preset's licence is printed to stderr first;
        and before it is loaded, what it takes of the memory, which `expected_memory` gives as data.

        device: as torch writes it; by default the first CUDA device where there is one, else the processor.
        options: of the large models; the bundled one and its kind have none but `hub`.
        tell: takes the sentence about memory; by default it is printed to stderr, too.
        dtype: the number format in which the U-Nets of the bundled model and its kind compute, torch.float32 or
            torch.bfloat16; by default what `models.precision.working_format` finds for the device. The format decides
            pixels: one recipe in two formats has the same noise, and a picture with small numeric differences.

        Raises:
            CheckpointError: there is no such model, or a file of it is missing or damaged, or cannot be fetched; it
                has no such options or number format; or there is no such device.
        """
        name = os.fspath(name)
        model = model_named(name)
        if model is None:
            raise CheckpointError(f"{name!r} is neither a model folder nor one of: {allowed_names()}.")
        options = options or Options()
        options.check(model)
        where = _device(device)
        if not model.is_deepfloyd:
            folder = bundled_folder() if model.preset else Path(model.source)
            return cls(load(folder, where, dtype), model.recipe, load_vocabulary(folder), _weights(folder))
        if dtype is not None:
            raise CheckpointError(f"dtype must be left out: the number format of {name!r} follows from the device.")
        if model.preset is not None:
            print(
                f"Licence of {model.preset.title}: {model.preset.licence}, {model.preset.licence_url}", file=sys.stderr
            )
        folders = deepfloyd.folders(model, where, options)
        plan = deepfloyd.memory_plan(folders, where, options)
        (tell or partial(print, file=sys.stderr))(str(plan))
        with_ours = "sr256" in folders and "sr1024" not in folders  # the bundled third stage
        beside = [_weights(bundled_folder())] if with_ours else []
        weights = fingerprint.of_folders(folders, *beside)
        return cls(deepfloyd.load(folders, plan, where, options), model.recipe, weights=weights)

    @property
    def name(self) -> str:
        """The model's name in recipes."""
        return self._default.model

    def recipe(self, prompt: str = "", seed: int = 0) -> Recipe:
        """This model's default recipe for a prompt; change it with `dataclasses.replace` or `Recipe.updated`."""
        return replace(self._default, prompt=prompt, seed=seed)

    def tokens(self, prompt: str) -> Reading:
        """How the text encoder sees a prompt: tokens, cut point, unknown words. Runs no network.

        What is told is told of the prompt without weights.

        Raises:
            RecipeError: a recipe could not hold the prompt either.
        """
        return self.cascade.text_encoder.read(parse(self.recipe(prompt).prompt).text)

    def stream(self, recipe: Recipe, attention: bool = False, anew: bool = False) -> Run:
        """Draw a recipe: an iterator of events (see `imagen_core.events`) with `close()` to stop it.

        attention: every `Preview` tells where its step looked for each word (`events.WordAttention`). The pictures are
        the same; stages kept from an earlier run are drawn again, for the maps are made while drawing. anew: those are
        drawn again in any case.

        Raises:
            RecipeError: the recipe is for another model, or has a stage or a fork that this one cannot draw.
            StageError: by the iterator, where a stage cannot go on.
        """
        self._check(recipe)
        return self.cascade.run(recipe, attention, anew)

    def stream_together(self, recipes: Sequence[Recipe]) -> Run[tuple[int, Event]]:
        """Draw recipes that may differ in anything but the model, each network called once a step for all of them.

        The events of each, with its place in `recipes`; see `imagen_core.together`. It is for accelerators: where
        `cascade.chunk` is 1, as on a processor, nothing is won. Raises as `stream`.
        """
        for recipe in recipes:
            self._check(recipe)
        return together(self.cascade, recipes)

    def _check(self, recipe: Recipe) -> None:
        if recipe.model != self.name:
            raise RecipeError("model", f"must be {self.name}, which is loaded, not {recipe.model}")

    def warm_up(self) -> None:
        """Run one step of every stage, so that the first picture does not wait for imports and first-time set-up."""
        one_step: dict[str, object] = {stage: {"num_steps": 1, "spacing": "trailing"} for stage in STAGES}
        self.generate(self.recipe("warm up").updated(one_step))

    def draw(self, recipe: Recipe) -> list[Picture]:
        """Draw a recipe to its end: the last stage's pictures, `recipe.num_images`, each with its own recipe and check.

        `draw(recipe)[0].save("apple.png")` writes a PNG that carries both. Raises as `generate`.
        """
        checks, images = Checks(self.weights), list[Image.Image]()
        for event in self.stream(recipe):
            if isinstance(event, StageFinished):
                images = to_pil(event.x_0)
                checks.add(images)
        return [Picture(image, recipe.for_image(index), checks.of(index)) for index, image in enumerate(images)]

    def generate(self, recipe: Recipe) -> list[Image.Image]:
        """Draw a recipe to its end: the last stage's pictures alone, `recipe.num_images` RGB images.

        Raises:
            RecipeError: the recipe is for another model, or has a stage or a fork that this one cannot draw.
            StageError: a stage could not go on.
        """
        finished = [event for event in self.stream(recipe) if isinstance(event, StageFinished)]
        return to_pil(finished[-1].x_0)

    def generate_image(
        self,
        prompt: str,
        seed: int = 0,
        guidance_scale: float | None = None,
        num_steps: int | None = None,
        *,
        negative_prompt: str | None = None,
        last_stage: str | None = None,
    ) -> Image.Image:
        """Draw one picture, an RGB image of 64, 256 or 1024 pixels a side; what is None is as in the default recipe.

        guidance_scale, num_steps: of the base stage, 0 to 30 (1 = off) and 1 to 250. negative_prompt: what guidance
        moves away from. last_stage: "base", "sr256" or "sr1024", where the cascade ends.

        Raises:
            RecipeError: a value is out of range, or the model has no such stage.
            StageError: a stage could not go on.
        """
        base = _given({"guidance_scale": guidance_scale, "num_steps": num_steps})
        values = _given({"negative_prompt": negative_prompt, "last_stage": last_stage})
        return self.generate(self.recipe(prompt, seed).updated(values | {"base": base}))[0]


def _given(values: Mapping[str, object]) -> dict[str, object]:
    """Those of the values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def _weights(folder: Path) -> str:
    """The fingerprint of the weights of a model folder of ours."""
    return fingerprint.of_manifest(read_manifest(folder))


def expected_memory(name: str, device: str | None = None, options: Options | None = None) -> MemoryPlan | None:
    """What `Imagen.from_pretrained` of these will take of the memory, before anything is fetched or loaded.

    None for the bundled model and its kind, which take little, for a repository that is not here and whose size nobody
    has told, and where there is no such model.

    Raises:
        CheckpointError: a file is missing from a model folder, or damaged.
    """
    model = model_named(name)
    if model is None or not model.is_deepfloyd:
        return None
    return deepfloyd.expected_memory(model, _device(device), options or Options())


def _device(name: str | None) -> torch.device:
    """Raises `CheckpointError` where this machine has no such device."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # a torch without CUDA says so in an assertion
        raise CheckpointError(f"There is no device {name!r} here: {str(error).partition(chr(10))[0]}") from error
    return device
