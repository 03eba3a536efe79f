"""The legs of a stage: which timesteps are left, and what a solver does with its history, against diffusers' steps."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from imagen_core.denoiser import Denoiser
from imagen_core.noise import StageNoise
from imagen_core.noise_schedule import cosine_schedule
from imagen_core.recipe import Recipe
from imagen_core.sampler import Step, sample
from imagen_core.schedulers import Scheduler
from imagen_core.solver_state import KEPT_BYTES, LARGEST_BYTES, KeptStates, SolverState
from imagen_core.spacings import joined, spaced_timesteps
from imagen_core.stage_recipe import SCHEDULERS, SPACINGS
from imagen_core.trajectory import Leg, legs, walk
from tests.exact_denoiser import DEVIATIONS, MEANS, ExactUnet, conditioning

SCHEDULE = cosine_schedule()
PARENT = Recipe(last_stage="base").updated({"base": {"num_steps": 8, "guidance_scale": 1, "thresholding": "none"}})


def steps_of(recipe: Recipe, kept: KeptStates, size: int = 8) -> list[Step]:
    """The base stage of a recipe, drawn by an exact denoiser."""
    denoiser = Denoiser(ExactUnet(SCHEDULE, "v"), SCHEDULE, "v", chunk=1)

    def draw(leg: Leg, scheduler: Scheduler) -> Iterator[Step]:
        noise = StageNoise(leg.recipe.seed, "base", 1, size)
        return sample(denoiser, scheduler, conditioning(1), leg.recipe.base, noise)

    def scheduler_of(leg: Leg) -> Scheduler:
        return Scheduler(leg.recipe.base.scheduler, list(leg.timesteps), SCHEDULE)

    return list(walk(legs(recipe, "base", SCHEDULE), kept, scheduler_of, draw))


# Timesteps


@pytest.mark.parametrize("before", SPACINGS)
@pytest.mark.parametrize("after", SPACINGS)
def test_what_is_left_goes_on_from_the_place(before: str, after: str) -> None:
    kept, listed = spaced_timesteps(before, 20, SCHEDULE), spaced_timesteps(after, 33, SCHEDULE)
    for step in range(1, len(kept)):
        timesteps = joined(kept, step, listed, SCHEDULE)
        assert timesteps[: step + 1] == kept[: step + 1]
        assert set(timesteps[step + 1 :]) <= set(listed)
        assert all(later < earlier for earlier, later in pairwise(timesteps))


@pytest.mark.parametrize("spacing", SPACINGS)
def test_the_same_list_goes_on_as_it_was(spacing: str) -> None:
    listed = spaced_timesteps(spacing, 20, SCHEDULE)
    assert all(joined(listed, step, listed, SCHEDULE) == listed for step in range(len(listed)))


def test_the_first_new_step_is_at_least_half_as_long_as_the_lists_own() -> None:
    kept = spaced_timesteps("logsnr", 30, SCHEDULE)
    for num_steps in (7, 13, 40):
        listed = spaced_timesteps("logsnr", num_steps, SCHEDULE)
        shortest = min(later - earlier for earlier, later in pairwise(SCHEDULE.log_snr(t) for t in listed))
        for step in range(1, len(kept)):
            timesteps = joined(kept, step, listed, SCHEDULE)
            if step + 1 < len(timesteps):
                first = SCHEDULE.log_snr(timesteps[step + 1]) - SCHEDULE.log_snr(timesteps[step])
                assert first >= shortest / 2 - 0.01


def test_legs_have_the_numbers_of_a_whole_run() -> None:
    child = PARENT.forked("base", 3, {"base": {"num_steps": 16}})
    found = legs(child.forked("base", 6, {"prompt": "x"}), "base", SCHEDULE)
    assert [(leg.start, leg.end, leg.recipe.prompt) for leg in found] == [(0, 3, ""), (3, 6, ""), (6, 13, "x")]
    assert len(found[0].timesteps) == 8
    assert found[1].timesteps == found[2].timesteps
    assert child.planned_steps("base") == 19  # at most


# Solvers


@pytest.mark.parametrize("scheduler", ["dpmsolver++", "unipc", "deis"])
def test_a_restarted_solver_takes_a_first_order_step(scheduler: str) -> None:
    """A first-order step of each of them is one of DDIM; a restored one is another."""
    parent = PARENT.updated({"base": {"scheduler": scheduler}})
    values = parent.forked("base", 4, {}).to_dict()
    fork = values["fork"]
    assert isinstance(fork, dict)
    restarted = Recipe.from_dict(values | {"fork": fork | {"history": "restarted"}})
    ddim = parent.forked("base", 4, {"base": {"scheduler": "ddim"}})
    ours, theirs, plain = (steps_of(recipe, KeptStates())[5].x_t for recipe in (restarted, ddim, parent))
    assert (ours - theirs).abs().max() < 1e-5
    assert (plain - theirs).abs().max() > 1e-3


@pytest.mark.parametrize("before", SCHEDULERS)
@pytest.mark.parametrize("after", SCHEDULERS)
def test_another_scheduler_goes_on_from_the_same_x_t(before: str, after: str) -> None:
    """Euler's samples are x_t / alpha_t; all others have x_t itself."""
    parent = PARENT.updated({"base": {"scheduler": before}})
    kept = KeptStates()
    x_t = steps_of(parent, kept)[3].x_t
    fork = steps_of(parent.forked("base", 3, {"base": {"scheduler": after, "num_steps": 12}}), kept)
    assert fork[0].index == 3
    assert (fork[0].x_t - x_t).abs().max() < 1e-6
    assert fork[0].stats.change == pytest.approx(steps_of(parent, kept)[3].stats.change)


@pytest.mark.parametrize("after", SCHEDULERS)
def test_a_fork_with_other_steps_ends_at_the_right_pictures(after: str) -> None:
    """The exact denoiser's data are normally distributed, so mean and deviation of the picture are known.

    DDPM's own variance makes 60 steps of it 8 % too narrow; then a whole run of it is the measure.
    """
    behind = {"base": {"scheduler": after, "num_steps": 60, "spacing": "linspace"}}
    parent = PARENT.updated({"base": {"scheduler": "ddim", "num_steps": 40}})
    picture = steps_of(parent.forked("base", 17, behind), KeptStates(), size=64)[-1].x_0
    whole = steps_of(PARENT.updated(behind), KeptStates(), size=64)[-1].x_0
    assert picture.mean().item() == pytest.approx(MEANS[1], abs=0.02)
    assert picture.std().item() == pytest.approx(DEVIATIONS[1], rel=0.1)
    assert picture.std().item() == pytest.approx(whole.std().item(), rel=0.03)


# What is kept


def state(nbytes: int) -> SolverState:
    pixels = torch.zeros(nbytes // 8, dtype=torch.float32)
    return SolverState(1, pixels, 1.0, pixels.clone(), {"model_outputs": (None, pixels), "lower_order_nums": 1})


def test_kept_states_stay_below_their_limit() -> None:
    kept = KeptStates()
    each = LARGEST_BYTES
    assert state(each).nbytes == each  # the sample that is in the history too counts once
    fit = KEPT_BYTES // each
    for number in range(fit):
        kept.keep(number, state(each))
    assert kept.get(0) is not None  # now used last
    kept.keep(fit, state(each))
    assert kept.get(1) is None
    assert all(kept.get(number) is not None for number in (0, 2, fit))
    kept.keep(fit, state(8))
    kept.keep("again", state(each - 8))
    assert kept.get(0) is not None
    kept.keep("large", state(each + 80))
    assert kept.get("large") is None
    kept.clear()
    assert kept.get(0) is None


def test_kept_states_hold_what_was_handed_out_unchanged() -> None:
    kept, held = KeptStates(), list[tuple[Tensor, Tensor]]()
    for scheduler in SCHEDULERS:
        recipe = PARENT.updated({"base": {"scheduler": scheduler}})
        steps_of(recipe, kept)
        for step in range(1, 8):
            found = kept.get((recipe.stage_key("base"), step))
            assert found is not None
            held += [(found.sample, found.sample.clone()), (found.x_0, found.x_0.clone())]
        steps_of(recipe.forked("base", 3, {"seed": 4}), kept)
        steps_of(recipe.forked("base", 5, {"base": {"num_steps": 3}}), kept)
    assert all(torch.equal(tensor, copy) for tensor, copy in held)
