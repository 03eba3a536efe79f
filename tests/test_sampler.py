"""The denoising loop: its steps, its instruments, its independence of company, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from imagen_core.denoiser import Denoiser, Prediction
from imagen_core.events import Stopped
from imagen_core.noise import StageNoise
from imagen_core.noise_schedule import cosine_schedule
from imagen_core.sampler import Step, sample
from imagen_core.schedulers import build_scheduler
from imagen_core.stage_recipe import SCHEDULERS, StageRecipe
from tests.exact_denoiser import DEVIATIONS, MEANS, ExactUnet, conditioning

SCHEDULE = cosine_schedule()
RECIPE = StageRecipe(num_steps=8, guidance_scale=1.0, thresholding="none")


def steps(
    recipe: StageRecipe, noise: StageNoise, *distributions: int | None, prediction: Prediction = "v"
) -> list[Step]:
    denoiser = Denoiser(ExactUnet(SCHEDULE, prediction), SCHEDULE, prediction, chunk=1)
    scheduler = build_scheduler(recipe.scheduler, recipe.spacing, recipe.num_steps, SCHEDULE)
    return list(sample(denoiser, scheduler, conditioning(*distributions), recipe, noise))


def test_steps_count_and_begin_with_the_noise() -> None:
    noise = StageNoise(3, "base", 2, 8)
    done = steps(RECIPE, noise, 0, 1)
    assert [(step.index, step.num_steps) for step in done] == [(index, 8) for index in range(8)]
    assert torch.equal(done[0].x_t, noise.initial())
    assert all(step.x_0.shape == step.x_t.shape == (2, 3, 8, 8) for step in done)
    log_snrs = [step.stats.log_snr for step in done]
    assert log_snrs == sorted(log_snrs)
    assert log_snrs[0] == pytest.approx(-16.6, abs=0.1)


def test_text_decides_the_picture() -> None:
    picture = steps(replace(RECIPE, num_steps=16), StageNoise(0, "base", 2, 32), 0, 1)[-1].x_0
    for image in range(2):
        assert picture[image].mean() == pytest.approx(MEANS[image], abs=0.02)
        assert picture[image].std() == pytest.approx(DEVIATIONS[image], rel=0.05)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_image_alone_is_the_same_bits_as_among_others(name: str) -> None:
    recipe = replace(RECIPE, scheduler=name, guidance_scale=3.0, thresholding="dynamic")
    together = steps(recipe, StageNoise(5, "base", 3, 8), 0, 1, 0)
    for image, distribution in enumerate((0, 1, 0)):
        alone = steps(recipe, StageNoise(5 + image, "base", 1, 8), distribution)
        for one, all_of_them in zip(alone, together, strict=True):
            assert torch.equal(one.x_0[0], all_of_them.x_0[image])
            assert torch.equal(one.x_t[0], all_of_them.x_t[image])
            assert one.stats.change[0] == all_of_them.stats.change[image]


@pytest.mark.parametrize("name", SCHEDULERS)
def test_seeds_decide_and_repeat(name: str) -> None:
    recipe = replace(RECIPE, scheduler=name, num_steps=4)
    first, again, other = (steps(recipe, StageNoise(seed, "base", 1, 8), None)[-1].x_0 for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert (first - other).abs().mean() > 0.05


def test_predictions_lead_to_the_same_picture() -> None:
    """Epsilon differs most: the first x_0 is its rounding times 4096, until thresholding and later steps mend it."""
    noise = StageNoise(0, "base", 1, 8)
    v, x_0, epsilon = (steps(RECIPE, noise, 0, prediction=each)[-1].x_0 for each in ("v", "x_0", "epsilon"))
    assert (v - x_0).abs().max() < 1e-5
    assert (epsilon - x_0).abs().max() < 2e-3


def test_guidance_is_on_inside_its_interval_only() -> None:
    recipe = replace(RECIPE, guidance_scale=2.0, guidance_start=0.25, guidance_end=0.75)
    done = steps(recipe, StageNoise(0, "base", 1, 8), 0)
    assert [step.stats.guidance_norm[0] > 0 for step in done] == [False, False, True, True, True, True, False, False]
    assert all(step.stats.cosine[0] <= 1 for step in done)


def test_change_is_between_neighbouring_steps() -> None:
    done = steps(RECIPE, StageNoise(0, "base", 2, 8), 0, 1)
    assert done[0].stats.change == (0.0, 0.0)
    for before, after in pairwise(done):
        expected = (after.x_0 - before.x_0).square().mean(dim=(1, 2, 3)).sqrt()
        assert after.stats.change == pytest.approx(expected.tolist(), rel=1e-4)


@pytest.mark.parametrize("thresholding", ["static", "dynamic"])
def test_strong_guidance_stays_in_range(thresholding: str) -> None:
    recipe = replace(RECIPE, guidance_scale=30.0, thresholding=thresholding)
    done = steps(recipe, StageNoise(0, "base", 2, 8), 0, 1)
    assert all(step.x_0.abs().max() <= 1 for step in done)
    assert max(step.stats.clipped_share[0] for step in done) > 0
    assert done[-1].x_0[0].mean() < done[-1].x_0[1].mean()


def test_one_step_is_the_denoiser_once() -> None:
    done = steps(replace(RECIPE, num_steps=1), StageNoise(0, "base", 1, 8), 1)
    assert len(done) == 1
    assert done[0].x_0.mean() == pytest.approx(MEANS[1], abs=0.01)  # nothing but the mean can be known of noise


def test_what_was_handed_out_is_not_written_to() -> None:
    noise, kept = StageNoise(0, "base", 1, 8), []
    denoiser = Denoiser(ExactUnet(SCHEDULE, "v"), SCHEDULE, "v")
    for step in sample(denoiser, build_scheduler("ddpm", "logsnr", 6, SCHEDULE), conditioning(0), RECIPE, noise):
        kept.append((step, step.x_t.clone(), step.x_0.clone()))
    for step, x_t, x_0 in kept:
        assert torch.equal(step.x_t, x_t)
        assert torch.equal(step.x_0, x_0)


def test_consumer_is_not_drawn_into_inference_mode() -> None:
    denoiser = Denoiser(ExactUnet(SCHEDULE, "v"), SCHEDULE, "v")
    scheduler = build_scheduler("dpmsolver++", "logsnr", 3, SCHEDULE)
    for _ in sample(denoiser, scheduler, conditioning(0), RECIPE, StageNoise(0, "base", 1, 8)):
        assert not torch.is_inference_mode_enabled()
        weight = torch.ones(1, requires_grad=True)
        (weight * 2).backward()


class BreaksAt(ExactUnet):
    """Gives NaN from a chosen call on."""

    def __init__(self, call: int) -> None:
        super().__init__(SCHEDULE, "v")
        self.call = call

    def forward(self, *inputs: object) -> Tensor:  # type: ignore[override]
        output = super().forward(*inputs)  # type: ignore[arg-type]
        return output * torch.nan if len(self.batch_sizes) == self.call else output


def test_nan_names_the_step_and_leaves_the_steps_before() -> None:
    denoiser, done = Denoiser(BreaksAt(3), SCHEDULE, "v"), []
    scheduler = build_scheduler("dpmsolver++", "trailing", 4, SCHEDULE)
    with pytest.raises(FloatingPointError, match=r"^step 3 of 4: the prediction at timestep 499 is not finite$"):
        done.extend(sample(denoiser, scheduler, conditioning(0), RECIPE, StageNoise(0, "base", 1, 8)))
    assert [step.index for step in done] == [0, 1]


def test_closing_and_stopping_end_the_work_at_once() -> None:
    calls: list[int] = []

    def third_block_stops() -> None:
        calls.append(len(calls))
        if len(calls) == 3:
            raise Stopped

    unet = ExactUnet(SCHEDULE, "v")
    scheduler = build_scheduler("ddim", "trailing", 8, SCHEDULE)
    denoiser = Denoiser(unet, SCHEDULE, "v", between_blocks=third_block_stops)
    run = sample(denoiser, scheduler, conditioning(0), RECIPE, StageNoise(0, "base", 1, 8))
    assert [next(run).index, next(run).index] == [0, 1]
    with pytest.raises(Stopped):
        next(run)
    assert next(run, None) is None

    unet = ExactUnet(SCHEDULE, "v")
    scheduler = build_scheduler("ddim", "trailing", 8, SCHEDULE)
    run = sample(Denoiser(unet, SCHEDULE, "v"), scheduler, conditioning(0), RECIPE, StageNoise(0, "base", 1, 8))
    next(run)
    run.close()  # type: ignore[attr-defined]
    assert unet.batch_sizes == [1]
