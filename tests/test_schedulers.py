"""Schedulers against diffusers' own epsilon route, and against the exact answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffusers
import pytest
import torch

from imagen_core.noise_schedule import NoiseSchedule
from imagen_core.schedulers import build_scheduler
from imagen_core.stage_recipe import SCHEDULERS
from tests.exact_denoiser import DEVIATIONS, MEANS, MIXTURE_DEVIATION, MIXTURE_MEAN
from tests.sampled import COSINE, LINEAR, STOCHASTIC, exact_x_0, generators, normal, run
from tests.test_spacings import RULED

# Diffusers calls NumPy functions on tensors; the package avoids it or keeps quiet about it.
pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")


def test_a_learned_variance_is_needed_where_it_was_announced() -> None:
    scheduler = build_scheduler("ddpm", "trailing", 4, COSINE, learned_variance=True)
    with pytest.raises(ValueError, match="needs the variance"):
        scheduler.step(0, torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2), [torch.Generator()])


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
@pytest.mark.parametrize("spacing", RULED)
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


@pytest.mark.parametrize("spacing", RULED)
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


@pytest.mark.parametrize("spacing", RULED)
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
