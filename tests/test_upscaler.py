"""Stable Diffusion's x4 upscaler as the third stage, held against diffusers' own pipeline step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionUpscalePipeline
from torch import Generator, Tensor

from imagen_core.cascade import Cascade
from imagen_core.denoiser import Denoiser
from imagen_core.events import Event, Preview, Stopped
from imagen_core.noise import generator
from imagen_core.presets import UPSCALER_SR1024
from imagen_core.recipe import Recipe
from imagen_core.sampler import Step, sample
from imagen_core.schedulers import Scheduler
from imagen_core.stage import Stage
from imagen_core.together import _stage_events
from imagen_core.upscaler_checkpoint import load_upscaler
from tests.deepfloyd_folder import upscaling_pipeline, write_folder

CPU = torch.device("cpu")
CLOSE = 1e-4
SIDE = 16  # of the latents that are compared; the same mathematics at any size


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("upscaler"), upscaling_pipeline())


@pytest.fixture(scope="module")
def stage(folder: Path) -> Stage:
    whole, _ = load_upscaler(folder, torch.float32)
    assert whole.latents is not None
    assert (whole.size, whole.latents.side, whole.latents.channels) == (1024, 256, 4)
    return replace(whole, latents=replace(whole.latents, side=SIDE))


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Any:
    """From the same files; its last step leads to x_0, as ours always does."""
    loaded: Any = StableDiffusionUpscalePipeline.from_pretrained(folder)
    loaded.scheduler = type(loaded.scheduler).from_config(loaded.scheduler.config, set_alpha_to_one=True)
    loaded.set_progress_bar_config(disable=True)
    return loaded


def small_picture(num_images: int) -> Tensor:
    return torch.rand(num_images, 3, SIDE, SIDE, generator=Generator().manual_seed(1)) * 2 - 1


def recipe_of(guidance_scale: float, num_images: int, prompt: str = "a Red apple", aug_level: float = 0.057) -> Recipe:
    chosen = replace(UPSCALER_SR1024, guidance_scale=guidance_scale, aug_level=aug_level)
    return Recipe(prompt=prompt, seed=11, num_images=num_images, sr1024=chosen)


def steps(
    stage: Stage, recipe: Recipe, timesteps: list[int], chunk: int | None = None, stop: Callable[[], None] | None = None
) -> list[Step]:
    noise = stage.noise(recipe)
    cascade = Cascade({"base": stage, "sr1024": stage}, CPU)
    given = cascade._conditioning(recipe, "sr1024", small_picture(recipe.num_images), noise)
    denoiser = Denoiser(stage.unet, stage.noise_schedule, stage.prediction, chunk, stop)
    return list(sample(denoiser, Scheduler("ddim", timesteps, stage.noise_schedule), given, recipe.sr1024, noise))


def drawn(stage: Stage, recipe: Recipe, timesteps: list[int], chunk: int | None = None) -> list[Tensor]:
    """x_t behind every step, x_0, and the picture."""
    done = steps(stage, recipe, timesteps, chunk)
    return [*(step.x_t for step in done[1:]), done[-1].x_0, stage.picture(done[-1].x_0)]


def theirs(pipeline: Any, stage: Stage, recipe: Recipe, num_steps: int) -> list[Tensor]:
    """The same of diffusers' pipeline, given the noise of ours."""
    keyed = [generator(recipe.seed, image, "sr1024", "augmentation") for image in range(recipe.num_images)]
    states: list[Tensor] = []
    pictures = pipeline(
        [recipe.prompt] * recipe.num_images,
        image=(small_picture(recipe.num_images) + 1) / 2,
        num_inference_steps=num_steps,
        guidance_scale=recipe.sr1024.guidance_scale,
        noise_level=20,
        generator=keyed,
        latents=stage.noise(recipe).initial(),
        output_type="pt",
        callback=lambda index, t, state: states.append(state.clone()),
    ).images
    return [*states, pictures * 2 - 1]


def distance(one: list[Tensor], other: list[Tensor]) -> float:
    return max((a - b).abs().max().item() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("num_images", [1, 3])
@pytest.mark.parametrize("guidance_scale", [1.0, 9.0])
@pytest.mark.parametrize("num_steps", [5, 20])
def test_it_is_that_of_diffusers_at_every_step_and_in_pixels(
    stage: Stage, pipeline: Any, guidance_scale: float, num_images: int, num_steps: int
) -> None:
    recipe = recipe_of(guidance_scale, num_images)
    pipeline.scheduler.set_timesteps(num_steps)
    ours = drawn(stage, recipe, [int(t) for t in pipeline.scheduler.timesteps])
    assert distance(ours, theirs(pipeline, stage, recipe, num_steps)) <= CLOSE
    assert ours[-1].shape == (num_images, 3, 4 * SIDE, 4 * SIDE)
    assert ours[-1].std() > 0.01, "a flat picture is like any other"


def test_all_that_is_compared_moves_the_picture(stage: Stage) -> None:
    """Were text, guidance, level or weights of words without effect, equality would tell nothing."""
    timesteps = [800, 600, 400, 200, 0]
    usual = drawn(stage, recipe_of(9.0, 1), timesteps)
    for other in (
        recipe_of(1.0, 1),
        recipe_of(9.0, 1, prompt="two green cubes"),
        recipe_of(9.0, 1, prompt="a (Red:0) apple"),
        recipe_of(9.0, 1, aug_level=0.5),
    ):
        assert distance(drawn(stage, other, timesteps), usual) > 10 * CLOSE
    plain = recipe_of(9.0, 1, prompt="a (Red:1) apple")
    assert distance(drawn(stage, plain, timesteps), usual) == 0


def test_an_image_is_the_same_alone_and_among_others_on_a_processor(stage: Stage) -> None:
    timesteps, recipe = [600, 300, 0], recipe_of(9.0, 2)
    together = drawn(stage, recipe, timesteps, chunk=1)[-1]
    picture = small_picture(2)
    noise = stage.noise(recipe.for_image(1))
    cascade = Cascade({"base": stage, "sr1024": stage}, CPU)
    given = cascade._conditioning(recipe.for_image(1), "sr1024", picture[1:], noise)
    denoiser = Denoiser(stage.unet, stage.noise_schedule, stage.prediction, 1)
    alone = list(sample(denoiser, Scheduler("ddim", timesteps, stage.noise_schedule), given, recipe.sr1024, noise))
    assert torch.equal(stage.picture(alone[-1].x_0), together[1:])
    assert not torch.equal(together[:1], together[1:])


def test_recipes_drawn_together_are_what_each_is_alone(stage: Stage) -> None:
    """Their texts, levels, noise, guidance and numbers of images differ; the network's pictures are latents."""
    cascade = Cascade({"base": stage, "sr1024": stage}, CPU)
    recipes = [
        recipe.updated({"sr1024": {"num_steps": 4}})
        for recipe in (
            recipe_of(9.0, 1),
            recipe_of(1.0, 2, prompt="two green cubes").updated({"seed": 3}),
            recipe_of(5.0, 1, prompt="a (Red:0.5) apple", aug_level=0.3),
        )
    ]
    given = [(recipe, small_picture(recipe.num_images)) for recipe in recipes]
    told = list(_stage_events(cascade, "sr1024", given, [[0], [1], [2]], lambda: None))
    for place, (recipe, before) in enumerate(given):
        events = list(cascade.stage_events(recipe, "sr1024", before, cascade.denoiser("sr1024", lambda: None)))
        own = [event for at, event in told if at == place]
        assert [type(event) for event in own] == [type(event) for event in events]
        assert distance(pictures(own), pictures(events)) <= CLOSE
        assert pictures(own)[-2].shape == (recipe.num_images, 3, 4 * SIDE, 4 * SIDE)


def pictures(events: list[Event]) -> list[Tensor]:
    """What a stage's steps show: x_0 and x_t of each, the last x_0 in pixels."""
    return [picture for event in events if isinstance(event, Preview) for picture in (event.x_0, event.x_t)]


def test_text_is_read_as_diffusers_reads_it(stage: Stage, pipeline: Any) -> None:
    for prompt in ("", "A Red apple", "z" * 200, "two words, and a comma"):
        expected, _ = pipeline.encode_prompt(prompt, CPU, 1, False)
        assert torch.equal(stage.text_encoder.encode(prompt).states, expected)
    reading = stage.text_encoder.read("z" * 200)
    assert (reading.num_tokens, reading.max_tokens, len(reading.kept)) == (202, 77, 75)
    spans = stage.text_encoder.spans("a red")
    assert len(spans) == 77
    assert spans[:2] == ((0, 0), (0, 1))


def test_it_stops_between_two_blocks(stage: Stage) -> None:
    calls: list[int] = []

    def stop() -> None:
        calls.append(1)
        if len(calls) > 2:
            raise Stopped

    with pytest.raises(Stopped):
        steps(stage, recipe_of(1.0, 1), [500, 0], stop=stop)
    assert len(calls) == 3
