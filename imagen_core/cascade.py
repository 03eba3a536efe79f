"""The cascade: a recipe goes in, a stream of events comes out (sections 2.4 and 2.5 of arXiv 2205.11487).

Each stage denoises from noise; what it ends with conditions the next, enlarged and noised to that stage's aug_level.
A stage's images are kept under the part of the recipe that determines them, so that a change of a later stage's
settings does not run the earlier stages again.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from imagen_core.conditioning import Conditioning, conditioning
from imagen_core.denoiser import Denoiser
from imagen_core.events import Event, Preview, StageFinished, StageStarted
from imagen_core.fork import drawn_by
from imagen_core.noise import StageNoise
from imagen_core.prompt_events import PromptEvents
from imagen_core.prompt_interpolation import read_prompts
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.run import Run
from imagen_core.sampler import Step, sample
from imagen_core.schedulers import Scheduler
from imagen_core.solver_state import KeptStates
from imagen_core.stage import ANOTHER_SEED, Stage, check_refused, told_of_stage
from imagen_core.trajectory import Leg, legs, walk
from imagen_core.variation import prompts
from imagen_core.word_attention import joined
from imagen_core.word_tokens import prompt_states

KEPT_BYTES = 256_000_000  # more than the largest recipe needs, 16 images at 1024 pixels with the stages before


class Cascade:
    """The stages, computing on one device. Several threads may run recipes at the same time."""

    def __init__(self, stages: Mapping[str, Stage], device: torch.device) -> None:
        self.text_encoder = stages["base"].text_encoder
        self.stages = stages
        self.device = device
        self._kept: OrderedDict[tuple[object, ...], Tensor] = OrderedDict()
        self._states = KeptStates()
        self._lock = threading.Lock()

    @property
    def chunk(self) -> int | None:
        """How many images go through a U-Net together; None for all.

        One on a processor: that costs nothing there, and an image does not depend on those drawn with it.
        """
        return 1 if self.device.type == "cpu" else None

    def run(self, recipe: Recipe, attention: bool = False, anew: bool = False) -> Run:
        """Draw what the recipe says. The iterator raises `StageError` where a stage cannot go on.

        attention: previews tell where the words were looked for. The pictures are the same; but as the maps are made
        while they are drawn, all stages run, also those that were kept. anew: they run in any case.

        Raises:
            RecipeError: there are no weights of a stage that the recipe asks for, or a fork is behind the last step.
        """
        self.check(recipe)
        return Run(lambda stop_if_asked: self._events(recipe, stop_if_asked, attention, anew))

    def check(self, recipe: Recipe) -> None:
        """Refuse what these stages cannot draw. Raises as `run`."""
        missing = [name for name in recipe.stages() if name not in self.stages]
        if missing:
            last = recipe.stages()[recipe.stages().index(missing[0]) - 1]
            raise RecipeError("last_stage", f"must be {last}, for the model has no {missing[0]} stage")
        if recipe.fork is not None:
            for name in recipe.stages():
                legs(recipe, name, self.stages[name].noise_schedule)

    def _events(
        self, recipe: Recipe, stop_if_asked: Callable[[], None], attention: bool, anew: bool
    ) -> Iterator[Event]:
        prompt_events = PromptEvents()
        before: Tensor | None = None
        for name in recipe.stages():
            drawn = drawn_by(recipe, name)
            yield from prompt_events.of(self.stages[name], drawn)
            images = None if attention or anew else self.recall(recipe.stage_key(name))
            if images is not None:
                stage = self.stages[name]
                yield StageFinished(name, stage.size, stage.handed_out(images), seconds=0.0, cached=True)
            else:
                denoiser = self.denoiser(name, stop_if_asked, attention)
                images = yield from self.stage_events(drawn, name, before, denoiser)
            before = images

    def stage_events(
        self, recipe: Recipe, name: str, before: Tensor | None, denoiser: Denoiser
    ) -> Generator[Event, None, Tensor]:
        """The events of one stage; its return value is the stage's images.

        before: those of the stage before, None in the first. denoiser: that of the stage.
        """
        stage = self.stages[name]
        started = time.monotonic()
        planned = legs(recipe, name, stage.noise_schedule)
        num_steps = len(planned[-1].timesteps)
        yield StageStarted(name, stage.size, recipe.num_images, num_steps, planned[-1].start)
        good = "The stages before it are good; another seed or guidance may help."
        numbers = ANOTHER_SEED if before is None else good
        with told_of_stage(name, "ask for fewer images or an earlier last stage", numbers):
            for step in self.steps(planned, before, denoiser, self._states):
                if step.index + 1 < num_steps:
                    shown = stage.preview(step.x_0)
                else:  # the last preview is the picture
                    x_0 = stage.picture(step.x_0)
                    if stage.refused is not None:
                        check_refused(stage.refused(x_0), name)
                    shown = stage.handed_out(x_0)
                noisy, seconds = stage.noisy(step.x_t), time.monotonic() - started
                yield Preview(name, step.index + 1, num_steps, shown, noisy, step.stats, seconds, step.words)
        self._keep(recipe.stage_key(name), x_0)
        yield StageFinished(name, stage.size, shown, time.monotonic() - started, cached=False)
        return x_0

    def denoiser(self, name: str, stop_if_asked: Callable[[], None], attention: bool = False) -> Denoiser:
        """The denoiser of the stage `name`, which calls `stop_if_asked` between the blocks of its network.

        attention: see `run`.
        """
        stage = self.stages[name]
        shared = (stage.prediction, self.chunk, stop_if_asked, stage.threshold_cap, attention)
        return Denoiser(stage.unet, stage.noise_schedule, *shared)

    def steps(
        self, planned: Sequence[Leg], before: Tensor | None, denoiser: Denoiser, kept: KeptStates
    ) -> Iterator[Step]:
        """The steps of one stage, whose legs are `planned`, behind what of them is `kept`.

        before: the images of the stage before, None in the first. denoiser: that of the stage.
        """
        stage = self.stages[planned[0].stage]

        def scheduler_of(leg: Leg) -> Scheduler:
            chosen = leg.recipe.stage(stage.name).scheduler
            return Scheduler(chosen, list(leg.timesteps), stage.noise_schedule, stage.learned_variance)

        def draw(leg: Leg, scheduler: Scheduler) -> Iterator[Step]:
            recipe, chosen = leg.recipe, leg.recipe.stage(stage.name)
            noise = stage.noise(recipe)
            if stage.latents is not None:
                chosen = replace(chosen, thresholding="none")
            given = self._conditioning(recipe, stage.name, before, noise)
            steps = sample(denoiser, scheduler, given, chosen, noise)
            return joined(steps, stage.text_encoder, *prompts(recipe, stage.name)) if denoiser.attention else steps

        return walk(planned, kept, scheduler_of, draw)

    @torch.inference_mode()
    def _conditioning(self, recipe: Recipe, name: str, before: Tensor | None, noise: StageNoise) -> Conditioning:
        stage, chosen = self.stages[name], recipe.stage(name)
        read = partial(prompt_states, stage.text_encoder, images=recipe.num_images, device=self.device)
        text, negative = read_prompts(read, *prompts(recipe, name)), None
        if chosen.guidance_scale != 1 and (recipe.negative_prompt.strip() or stage.encodes_empty):
            negative = read(recipe.negative_prompt)
        low_res = None
        if before is not None:
            small = before.to(self.device).clamp(-1, 1)  # (n, 3, size of the stage before, ...)
            low_res = stage.low_res(small, chosen.aug_level, stage.size, noise.augmentation)  # (n, 3, size, size)
        return conditioning(text, negative, low_res, chosen.aug_level)

    def forget(self) -> None:
        """Let go of the images of earlier runs, and of the states between their steps."""
        self._states.clear()
        with self._lock:
            self._kept.clear()

    def recall(self, key: tuple[object, ...]) -> Tensor | None:
        """A stage's images of an earlier run, by the recipe's `stage_key`, where they are kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: tuple[object, ...], images: Tensor) -> None:
        with self._lock:
            self._kept[key] = images
            while sum(kept.nbytes for kept in self._kept.values()) > KEPT_BYTES:
                self._kept.popitem(last=False)
