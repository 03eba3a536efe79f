"""A stage of the cascade: one model with all that it takes to draw with it, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from imagen_core.denoiser import Prediction
from imagen_core.events import StageError
from imagen_core.latents import Latents
from imagen_core.noise import StageNoise
from imagen_core.noise_conditioning import LowRes, augment_then_upsample
from imagen_core.noise_schedule import NoiseSchedule
from imagen_core.recipe import Recipe
from imagen_core.text_encoder import TextEncoder
from imagen_core.variation import seeds
from imagen_core.word_tokens import UnmatchedWords

ANOTHER_SEED = "Another seed or guidance may help."


@dataclass(frozen=True)
class Stage:
    """One model of the cascade: it draws pictures of `size` x `size` pixels.

    text_encoder: what it reads the prompt with; stages of one family share it.
    low_res: how it is shown the picture of the stage before.
    threshold_cap: see `Denoiser`. learned_variance: the U-Net predicts the variance of a step too.
    encodes_empty: "no text" is an encoded empty prompt; else it is a text with all tokens masked.
    refused: which of the stage's pictures must not be shown, nor enlarged. marked: the pictures as they are handed out,
    with a watermark; the next stage is shown them without. latents: what it draws instead of pixels, where it does;
    they know no range of their own and are never thresholded.
    """

    name: str
    size: int
    unet: nn.Module
    noise_schedule: NoiseSchedule
    prediction: Prediction
    text_encoder: TextEncoder
    low_res: LowRes = augment_then_upsample
    threshold_cap: float | None = None
    learned_variance: bool = False
    encodes_empty: bool = False
    refused: Callable[[Tensor], tuple[bool, ...]] | None = None
    marked: Callable[[Tensor], Tensor] | None = None
    latents: Latents | None = None

    def noise(self, recipe: Recipe) -> StageNoise:
        """All the noise of this stage's images in a recipe."""
        seed, other = seeds(recipe, self.name)
        side, channels = (self.size, 3) if self.latents is None else (self.latents.side, self.latents.channels)
        return StageNoise(seed, self.name, recipe.num_images, side, other, channels)

    def picture(self, x_0: Tensor) -> Tensor:
        """The pictures (n, 3, size, size) that what was denoised stands for."""
        return x_0 if self.latents is None else self.latents.picture(x_0)

    def preview(self, x_0: Tensor) -> Tensor:
        """What to show of the x_0 of a step before the last."""
        return x_0 if self.latents is None else self.latents.preview(x_0)

    def noisy(self, x_t: Tensor) -> Tensor:
        """What to show of an x_t."""
        return x_t if self.latents is None else self.latents.noisy(x_t)

    def handed_out(self, images: Tensor) -> Tensor:
        """Finished images (n, 3, size, size) with the model's mark, where it has one."""
        return images if self.marked is None else self.marked(images)


def check_refused(refused: tuple[bool, ...], name: str) -> None:
    """Stop where a picture is refused, before anything larger is made of it."""
    numbers = [str(number) for number, is_refused in enumerate(refused, start=1) if is_refused]
    if numbers:
        which = f"of {len(refused)} pictures number {', '.join(numbers)}" if len(refused) > 1 else "the picture"
        raise StageError(name, f"the model's safety checker refuses {which}; another prompt or seed may help.")


@contextmanager
def told_of_memory(name: str, advice: str) -> Iterator[None]:
    """Let memory that runs out inside be a `StageError` of the stage `name`, with advice."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise StageError(name, f"there is not enough memory; {advice}.") from error


@contextmanager
def told_of_stage(name: str, memory: str, numbers: str) -> Iterator[None]:
    """Let whatever keeps the stage `name` from drawing its steps inside be a `StageError` of it.

    memory: the advice where memory runs out. numbers: what is told where a network gives no finite numbers.
    """
    try:
        with told_of_memory(name, memory):
            yield
    except FloatingPointError as error:
        raise StageError(name, f"{error}. {numbers}") from error
    except UnmatchedWords as error:
        raise StageError(name, f"{error}.") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; on a processor torch says so in a plain RuntimeError, on Windows in other words."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
