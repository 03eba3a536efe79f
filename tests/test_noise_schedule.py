"""Noise schedules against diffusers and closed forms."""

from __future__ import annotations

import diffusers
import pytest
import torch

from imagen_core.noise_schedule import NoiseSchedule, checkpoint_schedule, cosine_schedule
from tests.sampled import COSINE, LINEAR

# Diffusers calls NumPy functions on tensors; the package avoids it or keeps quiet about it.
pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")


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


def test_a_checkpoints_schedule_is_the_one_of_diffusers() -> None:
    config = {
        "beta_schedule": "squaredcos_cap_v2",
        "num_train_timesteps": 1000,
        "thresholding": True,
        "_class_name": "x",
    }
    theirs = diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2").alphas_cumprod
    assert torch.equal(checkpoint_schedule(config).alphas_cumprod, theirs.double())
    with pytest.raises(ValueError, match="allowed is float64"):
        checkpoint_schedule({**config, "num_train_timesteps": 100})
