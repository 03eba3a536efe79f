"""Spacings: lists of timesteps against diffusers and their definition."""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise

import diffusers
import numpy as np
import pytest

from imagen_core.noise_schedule import NoiseSchedule
from imagen_core.schedulers import build_scheduler
from imagen_core.spacings import spaced_timesteps
from imagen_core.stage_recipe import SPACINGS, STEP_LISTS, StageRecipe
from tests.sampled import COSINE, LINEAR

# Diffusers calls NumPy functions on tensors; the package avoids it or keeps quiet about it.
pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")

RULED = [spacing for spacing in SPACINGS if spacing not in STEP_LISTS]


@pytest.mark.parametrize("spacing", RULED)
@pytest.mark.parametrize("noise_schedule", [COSINE, LINEAR])
def test_timesteps_begin_at_noise_alone_and_descend(spacing: str, noise_schedule: NoiseSchedule) -> None:
    for num_steps in range(1, 251):
        timesteps = spaced_timesteps(spacing, num_steps, noise_schedule)
        assert timesteps[0] == 999
        assert all(later < earlier for earlier, later in pairwise(timesteps))
        assert timesteps[-1] > 0 or num_steps == 250
        assert len(timesteps) == num_steps or (spacing == "logsnr" and num_steps > 40)


def test_timesteps_at_few_steps() -> None:
    assert all(spaced_timesteps(spacing, 1, COSINE) == [999] for spacing in RULED)
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


def test_named_lists_are_those_of_diffusers_whatever_the_number_of_steps() -> None:
    lists = import_module("diffusers.pipelines.deepfloyd_if.timesteps")
    names = {name.removesuffix("_timesteps") for name in vars(lists) if name.endswith("_timesteps")}
    assert set(STEP_LISTS) == names
    for name, length in STEP_LISTS.items():
        timesteps = spaced_timesteps(name, 3, LINEAR)
        assert timesteps == getattr(lists, f"{name}_timesteps")
        assert len(timesteps) == length == StageRecipe(3, spacing=name).planned_steps
        assert timesteps[0] == 999
        timesteps.clear()  # what is handed out is a copy
        assert len(spaced_timesteps(name, 3, LINEAR)) == length


def test_unknown_words_and_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="allowed are trailing, leading"):
        spaced_timesteps("trailng", 4, COSINE)
    with pytest.raises(ValueError, match="allowed are ddpm, ddim"):
        build_scheduler("heun", "trailing", 4, COSINE)
    for num_steps in (0, -1, 1001):
        with pytest.raises(ValueError, match="allowed is 1 to 1000"):
            build_scheduler("ddim", "trailing", num_steps, COSINE)
