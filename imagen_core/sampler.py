"""The denoising loop of one stage, from x_T to x_0, as a generator of steps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from imagen_core.conditioning import Conditioning
from imagen_core.denoiser import Denoised, Denoiser
from imagen_core.events import StepStats, WordAttention
from imagen_core.guidance import is_guided
from imagen_core.noise import StageNoise
from imagen_core.schedulers import Scheduler
from imagen_core.solver_state import SolverState
from imagen_core.stage_recipe import StageRecipe
from imagen_core.thresholding import Thresholding


@dataclass(frozen=True)
class Step:
    """Step 0 ... num_steps - 1: the noisy x_t, the clean x_0 seen in it, both (n, 3, h, w), and the instruments.

    The x_0 of the last step is the picture. `state` is what the next step begins with, None behind the last.
    attention: (n, 1 + l, h, w), where the denoiser records it; words: the same for words, once it is joined to them.
    """

    index: int
    num_steps: int
    x_t: Tensor
    x_0: Tensor
    stats: StepStats
    state: SolverState | None = None
    attention: Tensor | None = None
    words: WordAttention | None = None


def sample(
    denoiser: Denoiser, scheduler: Scheduler, conditioning: Conditioning, recipe: StageRecipe, noise: StageNoise
) -> Iterator[Step]:
    """Denoise `noise.num_images` images with a fresh scheduler, or from where a resumed one is.

    Of the recipe, guidance with its interval and thresholding are used; scheduler, spacing and number of steps are the
    scheduler's, aug_level is the conditioning's. Closing the iterator stops the work before the next step;
    `denoiser.between_blocks` stops it within one.

    Raises:
        FloatingPointError: a prediction of the U-Net holds NaN or infinity; the message names the step.
    """
    num_steps = len(scheduler.timesteps)
    thresholding = Thresholding(recipe.thresholding, recipe.percentile, denoiser.threshold_cap)
    interval = (recipe.guidance_start, recipe.guidance_end)
    first, before = 0, None
    if scheduler.resumed is None:
        initial = noise.initial().to(conditioning.text.device, memory_format=torch.channels_last)
        current = scheduler.x_T(initial)
    else:
        first, current, before = scheduler.resumed.step, scheduler.resumed.sample, scheduler.resumed.x_0
    for index in range(first, num_steps):
        t = scheduler.timesteps[index]
        x_t = scheduler.to_x_t(current, index)
        guidance_scale = recipe.guidance_scale if is_guided(index, num_steps, interval) else 1.0
        try:
            denoised = denoiser(x_t, t, conditioning, guidance_scale, thresholding)
        except FloatingPointError as error:
            raise FloatingPointError(f"step {index + 1} of {num_steps}: {error}") from error
        # Not around the yield: the mode would leak into the consumer.
        with torch.inference_mode():
            current = scheduler.step(index, denoised.x_0, current, noise.generators(index), denoised.variance)
            stats = _stats(denoised, denoiser.noise_schedule.log_snr(t), before)
        before = denoised.x_0
        state = scheduler.state(index, current, denoised.x_0)
        yield Step(index, num_steps, x_t, denoised.x_0, stats, state, denoised.attention)


def _stats(denoised: Denoised, log_snr: float, before: Tensor | None) -> StepStats:
    x_0 = denoised.x_0
    change = (0.0,) * len(x_0)
    if before is not None:
        change = tuple(
            torch.linalg.vector_norm(image - previous).item() / math.sqrt(image.numel())
            for image, previous in zip(x_0, before, strict=True)
        )
    return StepStats(
        log_snr=log_snr,
        threshold=denoised.threshold,
        clipped_share=denoised.clipped_share,
        guidance_norm=denoised.guidance_norm,
        cosine=denoised.cosine,
        change=change,
    )
