"""Sampling with an exact denoiser, without the package's own loop."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from imagen_core.noise_schedule import NoiseSchedule, cosine_schedule, linear_schedule
from imagen_core.schedulers import Scheduler
from tests.exact_denoiser import MEANS, posterior_mean

STOCHASTIC = ("ddpm", "dpmsolver++sde")

COSINE, LINEAR = cosine_schedule(), linear_schedule()


def exact_x_0(x_t: Tensor, t: int, noise_schedule: NoiseSchedule) -> Tensor:
    alpha_bar = noise_schedule.alphas_cumprod[t]
    every = torch.ones(len(MEANS), len(x_t), dtype=torch.bool)
    return posterior_mean(x_t.double(), alpha_bar.sqrt(), (1 - alpha_bar).sqrt(), every).float()


def generators(step: int, num_images: int) -> list[Generator]:
    return [Generator().manual_seed(1000 * step + image) for image in range(num_images)]


def run(scheduler: Scheduler, noise: Tensor, noise_schedule: NoiseSchedule = COSINE) -> list[Tensor]:
    """The x_t of every step, and x_0 behind the last."""
    sample, states = scheduler.x_T(noise), []
    for step, t in enumerate(scheduler.timesteps):
        states.append(scheduler.to_x_t(sample, step))
        x_0 = exact_x_0(states[-1], t, noise_schedule)
        sample = scheduler.step(step, x_0, sample, generators(step, len(noise)))
    return [*states, sample]


def normal(num_images: int, size: int) -> Tensor:
    return torch.randn(num_images, 3, size, size, generator=Generator().manual_seed(0))
