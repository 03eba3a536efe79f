"""Pictures for prompts, drawn by a model or rendered for real."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from imagen_core.events import StageFinished
from imagen_core.imagen import Imagen
from imagen_core.training.config import CONFIGS
from imagen_core.training.corpus import picture
from imagen_core.training.prompts import Prompt, prompts
from imagen_core.training.scenes import render
from imagen_core.training.truth import true_scene


@dataclass(frozen=True)
class Drawing:
    """A prompt of a task and split, and the seed that it is drawn with."""

    task: str
    split: str
    prompt: Prompt
    seed: int


def drawings(tasks: Sequence[str], splits: Sequence[str], samples: int, seed: int) -> list[Drawing]:
    """What is to be drawn: `samples` prompts of each task and split, each with a seed of its own."""
    listed = [
        (task, split, prompt) for task in tasks for split in splits for prompt in prompts(task, split, samples, seed)
    ]
    first = 100_000 * seed
    return [Drawing(task, split, prompt, (first + index) % 2**32) for index, (task, split, prompt) in enumerate(listed)]


def draw(imagen: Imagen, asked: Sequence[Drawing], base: Mapping[str, object], last_stage: str = "base") -> Tensor:
    """(n, 3, size, size) in [-1, 1], one picture a drawing; `base` changes the default recipe of the base stage.

    A line of progress with the time left comes every ten seconds.
    """
    pictures: list[Tensor] = []
    started = told = time.monotonic()
    for drawing in asked:
        recipe = imagen.recipe(drawing.prompt.text, seed=drawing.seed)
        recipe = replace(recipe, last_stage=last_stage).updated({"base": dict(base)})
        finished = [event for event in imagen.stream(recipe) if isinstance(event, StageFinished)]
        pictures.append(finished[-1].x_0.cpu().clamp(-1, 1))
        now = time.monotonic()
        if now - told > 10 or len(pictures) == len(asked):
            told, left = now, (now - started) * (len(asked) / len(pictures) - 1)
            print(f"{drawing.task}: {len(pictures)} of {len(asked)} drawn, {left:.0f} s left", flush=True)
    return torch.cat(pictures)


def real(asked: Sequence[Drawing], size: int, rng: random.Random) -> Tensor:
    """(n, 3, size, size) in [-1, 1]: renders of scenes of which the prompts are true."""
    scenes = [true_scene(drawing.prompt, rng) for drawing in asked]
    if size == 64:
        return torch.stack([picture(scene, CONFIGS["base"], rng) for scene in scenes])
    return torch.stack([render(scene, size) for scene in scenes])
