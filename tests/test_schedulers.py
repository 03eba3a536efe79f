"""Schedules, spacings and schedulers, against diffusers' own and against an exact denoiser."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from imagen_core.schedulers import (
    NoiseSchedule,
    Scheduler,
    build_scheduler,
    cosine_schedule,
    linear_schedule,
    spaced_timesteps,
)
from imagen_core.stage_recipe import SCHEDULERS, SPACINGS
from tests.exact_denoiser import DEVIATIONS, MEANS, MIXTURE_DEVIATION, MIXTURE_MEAN, posterior_mean

# Diffusers calls NumPy functions on tensors; the package avoids it or keeps quiet about it.
pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")

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


# Noise schedules


def test_cosine_schedule_is_the_rescaled_one_of_diffusers() -> None:
    theirs = diffusers.DDIMScheduler(beta_schedule="squaredcos_cap_v2", rescale_betas_zero_snr=True).alphas_cumprod
    assert torch.allclose(COSINE.alphas_cumprod[:-1].float(), theirs[:-1], rtol=2e-3, atol=1e-6)
    assert COSINE.alphas_cumprod[-1] == 2**-24
    plain = diffusers.DDIMScheduler(beta_schedule="squaredcos_cap_v2").alphas_cumprod
    assert torch.allclose(cosine_schedule(zero_terminal_snr=False).alphas_cumprod.float(), plain, rtol=1e-3, atol=1e-6)


def test_linear_schedule_is_the_one_of_diffusers() -> None:
    theirs = diffusers.DDPMScheduler().alphas_cumprod
    assert torch.allclose(LINEAR.alphas_cumprod.float(), theirs, rtol=1e-4)


@pytest.mark.parametrize("noise_schedule", [COSINE, LINEAR])
def test_log_snr_and_factors_agree(noise_schedule: NoiseSchedule) -> None:
    t = torch.tensor([0, 10, 500, 998, 999])
    alpha, sigma = noise_schedule.alpha_sigma(t)
    assert alpha.shape == (5, 1, 1, 1)
    assert torch.allclose(alpha**2 + sigma**2, torch.ones(5, 1, 1, 1))
    log_snrs = [noise_schedule.log_snr(int(index)) for index in t]
    assert torch.allclose(2 * (alpha / sigma).log().flatten(), torch.tensor(log_snrs), atol=1e-3)
    assert torch.equal(noise_schedule.log_snrs[t], torch.tensor(log_snrs, dtype=torch.float64))


def test_what_is_no_schedule_is_refused() -> None:
    good = COSINE.alphas_cumprod
    for values in (good.float(), good[:999], good.flip(0), torch.where(good > 0.5, 1.0, good), good - good[-1]):
        with pytest.raises(ValueError, match="alphas_cumprod"):
            NoiseSchedule("broken", values)


# Spacings


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("noise_schedule", [COSINE, LINEAR])
def test_timesteps_begin_at_noise_alone_and_descend(spacing: str, noise_schedule: NoiseSchedule) -> None:
    for num_steps in range(1, 251):
        timesteps = spaced_timesteps(spacing, num_steps, noise_schedule)
        assert timesteps[0] == 999
        assert all(later < earlier for earlier, later in pairwise(timesteps))
        assert timesteps[-1] > 0 or num_steps == 250
        assert len(timesteps) == num_steps or (spacing == "logsnr" and num_steps > 40)


def test_timesteps_at_few_steps() -> None:
    assert all(spaced_timesteps(spacing, 1, COSINE) == [999] for spacing in SPACINGS)
    assert spaced_timesteps("trailing", 4, COSINE) == [999, 749, 499, 249]
    assert spaced_timesteps("leading", 4, COSINE) == [999, 600, 400, 200]
    assert spaced_timesteps("linspace", 4, COSINE) == [999, 749, 500, 250]
    log_snrs = [COSINE.log_snr(t) for t in spaced_timesteps("logsnr", 8, COSINE)]
    assert np.diff(log_snrs[1:]) == pytest.approx(17 / 7, abs=0.15)


@pytest.mark.parametrize("num_steps", [1, 2, 5, 16, 50, 250])
def test_trailing_is_that_of_diffusers(num_steps: int) -> None:
    theirs = diffusers.DDIMScheduler(timestep_spacing="trailing")
    theirs.set_timesteps(num_steps)
    assert spaced_timesteps("trailing", num_steps, COSINE) == theirs.timesteps.tolist()


def test_unknown_words_and_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="allowed are trailing, leading"):
        spaced_timesteps("trailng", 4, COSINE)
    with pytest.raises(ValueError, match="allowed are ddpm, ddim"):
        build_scheduler("heun", "trailing", 4, COSINE)
    for num_steps in (0, -1, 1001):
        with pytest.raises(ValueError, match="allowed is 1 to 1000"):
            build_scheduler("ddim", "trailing", num_steps, COSINE)


# Schedulers against diffusers' own epsilon route


def reference(name: str, timesteps: list[int], noise_schedule: NoiseSchedule) -> Any:
    """Diffusers' scheduler on all 1000 timesteps, taking epsilon; by its own door where it accepts the timesteps."""
    epsilon: dict[str, Any] = {"prediction_type": "epsilon"}
    builders: dict[str, Callable[[], Any]] = {
        "ddpm": lambda: diffusers.DDPMScheduler(**epsilon, clip_sample=False),
        # DDIM of diffusers goes back 1000 / n at every step; it offers the same step on any timesteps as this one.
        "ddim": lambda: diffusers.DPMSolverMultistepScheduler(**epsilon, solver_order=1),
        "dpmsolver++": lambda: diffusers.DPMSolverMultistepScheduler(**epsilon),
        "dpmsolver++sde": lambda: diffusers.DPMSolverMultistepScheduler(**epsilon, algorithm_type="sde-dpmsolver++"),
        "unipc": lambda: diffusers.UniPCMultistepScheduler(**epsilon),
        "deis": lambda: diffusers.DEISMultistepScheduler(**epsilon),
        "euler": lambda: diffusers.EulerDiscreteScheduler(**epsilon),
    }
    scheduler = builders[name]()
    if noise_schedule is not LINEAR:
        scheduler.alphas_cumprod = noise_schedule.alphas_cumprod.float()
    if name in ("unipc", "deis"):
        scheduler.set_timesteps(len(timesteps))
        scheduler.timesteps = torch.tensor(timesteps)
        alpha_bar = scheduler.alphas_cumprod[timesteps]
        scheduler.sigmas = torch.cat([((1 - alpha_bar) / alpha_bar).sqrt(), torch.zeros(1)])
    else:
        scheduler.set_timesteps(timesteps=timesteps)
    return scheduler


@pytest.mark.parametrize("noise_schedule", [COSINE, LINEAR], ids=["cosine", "linear"])
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("name", SCHEDULERS)
def test_trajectory_is_that_of_the_epsilon_route(name: str, spacing: str, noise_schedule: NoiseSchedule) -> None:
    num_steps = 10
    ours = build_scheduler(name, spacing, num_steps, noise_schedule)
    theirs = reference(name, ours.timesteps, noise_schedule)
    expected = run(ours, normal(2, 8), noise_schedule)
    sample = normal(2, 8) * ((theirs.sigmas[0] ** 2 + 1) ** 0.5 if name == "euler" else 1)
    for step, t in enumerate(theirs.timesteps):
        x_t = theirs.scale_model_input(sample, t)
        # Where 1/4096 of the picture is left, x_0 from a single precision epsilon is off by 4096 times its rounding.
        assert (x_t - expected[step]).abs().max() < (5e-5 if noise_schedule is LINEAR else 1e-3)
        alpha_bar = noise_schedule.alphas_cumprod[int(t)]
        x_0 = exact_x_0(x_t, int(t), noise_schedule)
        epsilon = ((x_t.double() - alpha_bar.sqrt() * x_0) / (1 - alpha_bar).sqrt()).float()
        options = {"generator": generators(step, 2)} if name in STOCHASTIC else {}
        sample = theirs.step(epsilon, t, sample, **options).prev_sample


def test_ddim_is_ddim() -> None:
    ours = build_scheduler("ddim", "trailing", 10, LINEAR)
    theirs = diffusers.DDIMScheduler(prediction_type="sample", clip_sample=False, timestep_spacing="trailing")
    theirs.set_timesteps(10)
    sample = normal(2, 8)
    for t, expected in zip(theirs.timesteps, run(ours, sample, LINEAR), strict=False):
        assert (sample - expected).abs().max() < 5e-5
        sample = theirs.step(exact_x_0(sample, int(t), LINEAR), t, sample).prev_sample


# Schedulers against an exact denoiser


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("name", SCHEDULERS)
def test_samples_have_the_mean_and_deviation_of_the_data(name: str, spacing: str) -> None:
    """Bounds are for 50 steps; the deviation of the narrower distribution is the hardest to get right."""
    whole, narrow = {"ddpm": (0.06, 0.2), "ddim": (0.04, 0.12), "euler": (0.04, 0.12)}.get(name, (0.02, 0.06))
    picture = run(build_scheduler(name, spacing, 50, COSINE), normal(1, 64))[-1]
    assert picture.mean() == pytest.approx(MIXTURE_MEAN, abs=0.01)
    assert picture.std() == pytest.approx(MIXTURE_DEVIATION, rel=whole)
    assert (picture < MIXTURE_MEAN).float().mean() == pytest.approx(0.544, abs=0.015)  # by the normal distribution
    left = picture[picture < MEANS[0]]  # next to nothing of the wider one
    assert (left - MEANS[0]).square().mean().sqrt() == pytest.approx(DEVIATIONS[0], rel=narrow)


@pytest.mark.parametrize(
    ("name", "num_steps", "tolerance"),
    [
        ("dpmsolver++", 8, 0.05),
        ("dpmsolver++", 16, 0.03),
        ("unipc", 8, 0.08),
        ("unipc", 16, 0.03),
        ("dpmsolver++sde", 16, 0.05),
        ("deis", 16, 0.06),
    ],
)
def test_few_steps_suffice_with_even_log_snr(name: str, num_steps: int, tolerance: float) -> None:
    picture = run(build_scheduler(name, "logsnr", num_steps, COSINE), normal(1, 64))[-1]
    assert picture.mean() == pytest.approx(MIXTURE_MEAN, abs=0.02)
    assert picture.std() == pytest.approx(MIXTURE_DEVIATION, rel=tolerance)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("name", SCHEDULERS)
def test_any_number_of_steps_gives_a_sensible_picture(name: str, spacing: str) -> None:
    for num_steps in (1, 2, 3, 4, 7, 15, 16, 250):
        states = run(build_scheduler(name, spacing, num_steps, COSINE), normal(1, 12))
        assert all(state.dtype == torch.float32 and bool(state.isfinite().all()) for state in states)
        assert all(state.std() < 1.1 for state in states)
        picture = states[-1]
        assert picture.mean() == pytest.approx(MIXTURE_MEAN, abs=0.1)
        assert picture.std() < 1.1 * MIXTURE_DEVIATION  # few steps may blur, none may overshoot
        assert picture.abs().max() < 1.6


# Contract


@pytest.mark.parametrize("name", SCHEDULERS)
def test_first_state_is_noise_and_last_is_x_0(name: str) -> None:
    scheduler = build_scheduler(name, "logsnr", 3, COSINE)
    noise = normal(2, 8)
    sample = scheduler.x_T(noise)
    assert torch.allclose(scheduler.to_x_t(sample, 0), noise, atol=1e-6)
    for step in range(3):
        x_0 = torch.full_like(noise, float(step))
        sample = scheduler.step(step, x_0, sample, generators(step, 2))
    assert torch.equal(sample, x_0)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_image_does_not_depend_on_its_company_and_nothing_is_written_to(name: str) -> None:
    noise = normal(3, 10).contiguous(memory_format=torch.channels_last)
    together, alone = (build_scheduler(name, "logsnr", 6, COSINE) for _ in range(2))
    samples, single = together.x_T(noise), alone.x_T(noise[1:2])
    for step in range(5):
        x_0 = exact_x_0(together.to_x_t(samples, step), together.timesteps[step], COSINE)
        x_0 = x_0.contiguous(memory_format=torch.channels_last)
        kept = x_0.clone(), samples.clone()
        streams = generators(step, 3), [generators(step, 3)[1]]
        following = together.step(step, x_0, samples, streams[0])
        single = alone.step(step, x_0[1:2], single, streams[1])
        assert torch.equal(x_0, kept[0])
        assert torch.equal(samples, kept[1])
        assert torch.equal(following[1:2], single)
        assert following.is_contiguous(memory_format=torch.channels_last)
        samples = following
