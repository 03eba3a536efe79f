"""The cascade: a recipe goes in, a stream of events comes out (sections 2.4 and 2.5 of arXiv 2205.11487).

Each stage denoises from noise; what it ends with conditions the next, enlarged and noised to that stage's aug_level.
A stage's images are kept under the part of the recipe that determines them, so that a change of a later stage's
settings does not run the earlier stages again.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from imagen_core.denoiser import Conditioning, Denoiser, Prediction
from imagen_core.events import Event, Preview, PromptEncoded, StageError, StageFinished, StageStarted, Stopped
from imagen_core.models.unet import UNet
from imagen_core.noise import StageNoise
from imagen_core.noise_conditioning import augment, upsample
from imagen_core.recipe import Recipe
from imagen_core.sampler import sample
from imagen_core.schedulers import NoiseSchedule, build_scheduler
from imagen_core.text_encoder import TextEncoder

KEPT_BYTES = 256_000_000  # more than the largest recipe needs, 16 images at 1024 pixels with the stages before


@dataclass(frozen=True)
class Stage:
    """One model of the cascade: it draws pictures of `size` x `size` pixels."""

    name: str
    size: int
    unet: UNet
    noise_schedule: NoiseSchedule
    prediction: Prediction


class Run:
    """The events of one run, an iterator. `close`, from any thread, stops it within one block of a U-Net."""

    def __init__(self, start: Callable[[Callable[[], None]], Iterator[Event]]) -> None:
        self._stop = threading.Event()
        self._working = threading.Lock()
        self._events = start(self._stop_if_asked)

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        with self._working:
            if self._stop.is_set():
                raise StopIteration
            try:
                return next(self._events)
            except Stopped:
                raise StopIteration from None

    def close(self) -> None:
        """End the run. No event comes after this, but for one that is being handed out at this moment."""
        self._stop.set()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._stop.is_set()

    def _stop_if_asked(self) -> None:
        if self._stop.is_set():
            raise Stopped


class Cascade:
    """A text encoder and the stages, on one device. Several threads may run recipes at the same time."""

    def __init__(self, text_encoder: TextEncoder, stages: Mapping[str, Stage], device: torch.device) -> None:
        self.text_encoder = text_encoder
        self.stages = stages
        self.device = device
        self._kept: OrderedDict[tuple[object, ...], Tensor] = OrderedDict()
        self._lock = threading.Lock()

    def run(self, recipe: Recipe) -> Run:
        """Draw what the recipe says. The iterator raises `StageError` where a stage cannot go on."""
        return Run(lambda stop_if_asked: self._events(recipe, stop_if_asked))

    def _events(self, recipe: Recipe, stop_if_asked: Callable[[], None]) -> Iterator[Event]:
        prompts: set[str] = set()
        before: Tensor | None = None
        for name in recipe.stages():
            own = recipe.stage(name).prompt
            prompt = recipe.prompt if own is None else own
            if prompt not in prompts:
                prompts.add(prompt)
                yield self._encode(prompt)
            images = self._recall(recipe.stage_key(name))
            if images is not None:
                yield StageFinished(name, self.stages[name].size, images, seconds=0.0, cached=True)
            else:
                images = yield from self._stage_events(recipe, name, before, stop_if_asked)
            before = images

    def _encode(self, prompt: str) -> PromptEncoded:
        started = time.monotonic()
        cached = self.text_encoder.is_cached(prompt)
        self.text_encoder.encode(prompt)
        reading = self.text_encoder.read(prompt)
        seconds = time.monotonic() - started
        return PromptEncoded(
            prompt, reading.num_tokens, reading.max_tokens, reading.kept, reading.cut, reading.unknown, seconds, cached
        )

    def _stage_events(
        self, recipe: Recipe, name: str, before: Tensor | None, stop_if_asked: Callable[[], None]
    ) -> Generator[Event, None, Tensor]:
        """The events of one stage; its return value is the stage's images."""
        stage, chosen = self.stages[name], recipe.stage(name)
        started = time.monotonic()
        scheduler = build_scheduler(chosen.scheduler, chosen.spacing, chosen.num_steps, stage.noise_schedule)
        num_steps = len(scheduler.timesteps)
        yield StageStarted(name, stage.size, recipe.num_images, num_steps)
        seed = recipe.seed if chosen.seed is None else chosen.seed
        noise = StageNoise(seed, name, recipe.num_images, stage.size)
        # On a processor one image at a time costs nothing and makes an image independent of those drawn with it.
        chunk = 1 if self.device.type == "cpu" else None
        denoiser = Denoiser(stage.unet, stage.noise_schedule, stage.prediction, chunk, stop_if_asked)
        try:
            conditioning = self._conditioning(recipe, name, before, noise)
            for step in sample(denoiser, scheduler, conditioning, chosen, noise):
                x_0 = step.x_0
                seconds = time.monotonic() - started
                yield Preview(name, step.index + 1, num_steps, x_0, step.x_t, step.stats, seconds)
        except FloatingPointError as error:
            advice = "another seed or guidance may help."
            kept = f"Another{advice[7:]}" if before is None else f"The stages before it are good; {advice}"
            raise StageError(name, f"{error}. {kept}") from error
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            raise StageError(
                name, "there is not enough memory; ask for fewer images or an earlier last stage."
            ) from error
        self._keep(recipe.stage_key(name), x_0)
        yield StageFinished(name, stage.size, x_0, time.monotonic() - started, cached=False)
        return x_0

    @torch.inference_mode()
    def _conditioning(self, recipe: Recipe, name: str, before: Tensor | None, noise: StageNoise) -> Conditioning:
        chosen = recipe.stage(name)
        text = self.text_encoder.encode(recipe.prompt if chosen.prompt is None else chosen.prompt)
        n = recipe.num_images
        states, mask = (value.to(self.device).expand(n, *value.shape[1:]) for value in (text.states, text.mask))
        negative_states = negative_mask = None
        if recipe.negative_prompt.strip():
            negative = self.text_encoder.encode(recipe.negative_prompt)
            negative_states = negative.states.to(self.device).expand(n, -1, -1)
            negative_mask = negative.mask.to(self.device).expand(n, -1)
        low_res = None
        if before is not None:
            small = before.clamp(-1, 1)  # (n, 3, size of the stage before, ...)
            noised = augment(small, chosen.aug_level, noise.augmentation(small.shape[2]).to(self.device))
            low_res = upsample(noised, self.stages[name].size)  # (n, 3, size, size)
        return Conditioning(states, mask, negative_states, negative_mask, low_res, chosen.aug_level)

    def _recall(self, key: tuple[object, ...]) -> Tensor | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: tuple[object, ...], images: Tensor) -> None:
        with self._lock:
            self._kept[key] = images
            while sum(kept.nbytes for kept in self._kept.values()) > KEPT_BYTES:
                self._kept.popitem(last=False)


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; on a processor torch says so in a plain RuntimeError."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
