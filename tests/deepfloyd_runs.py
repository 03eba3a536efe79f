"""One stage of DeepFloyd IF through our cascade and through diffusers' own pipeline, with the same noise.

The pipelines are given ours: their generators are set anew before the initial noise, before the noise on the picture
that is enlarged and before every step, to the state that ours have there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from diffusers import DDPMScheduler, IFPipeline, IFSuperResolutionPipeline
from torch import Generator, Tensor

from imagen_core.cascade import Cascade
from imagen_core.denoiser import Denoiser
from imagen_core.noise import StageNoise, generator
from imagen_core.noise_schedule import linear_schedule
from imagen_core.recipe import Recipe, StageRecipe
from imagen_core.sampler import sample
from imagen_core.schedulers import Scheduler
from imagen_core.spacings import spaced_timesteps

PROMPT = "  A red Apple"


class Followed:
    """Generators for a pipeline that draw what ours draw, and the states that the pipeline passes through."""

    def __init__(self, pipeline: IFPipeline | IFSuperResolutionPipeline, noise: StageNoise) -> None:
        self.noise, self.states, self.step = noise, [], 0
        self.pipeline = pipeline
        self.generators = [Generator() for _ in range(noise.num_images)]
        pipeline.set_progress_bar_config(disable=True)
        self.hook = pipeline.unet.register_forward_pre_hook(self.before_step)

    def set(self, states: Iterable[Generator]) -> None:
        for own, given in zip(self.generators, states, strict=True):
            own.set_state(given.get_state())

    def keyed(self, purpose: str) -> list[Generator]:
        return [generator(self.noise.seed, image, self.noise.stage, purpose) for image in range(self.noise.num_images)]

    def before_step(self, *_: object) -> None:
        self.set(self.noise.generators(self.step))
        self.step += 1

    def __call__(self, timesteps: list[int], guidance_scale: float, **given: Any) -> list[Tensor]:
        """x_t behind every step, the last being the picture."""
        self.set(self.keyed("initial"))
        prepare = self.pipeline.prepare_extra_step_kwargs

        def between(*arguments: Any) -> Any:  # called between the initial noise and that on the picture
            self.set(self.keyed("augmentation"))
            return prepare(*arguments)

        self.pipeline.prepare_extra_step_kwargs = between
        self.pipeline(
            [PROMPT] * self.noise.num_images,
            timesteps=timesteps,
            guidance_scale=guidance_scale,
            generator=self.generators,
            output_type="pt",
            clean_caption=False,
            callback=lambda index, t, state: self.states.append(state.clone()),
            **given,
        )
        self.hook.remove()
        self.pipeline.prepare_extra_step_kwargs = prepare
        return self.states


def states(cascade: Cascade, name: str, timesteps: list[int], recipe: Recipe, chunk: int | None) -> list[Tensor]:
    """x_t behind every step of ours on these timesteps, the last being x_0."""
    stage, noise = cascade.stages[name], stage_noise(cascade, name, recipe)
    picture = low_res_picture(recipe.num_images) if name == "sr256" else None
    conditioning = cascade._conditioning(recipe, name, picture, noise)
    denoiser = Denoiser(stage.unet, stage.noise_schedule, "epsilon", chunk, threshold_cap=stage.threshold_cap)
    scheduler = Scheduler("ddpm", timesteps, stage.noise_schedule, stage.learned_variance)
    steps = list(sample(denoiser, scheduler, conditioning, recipe.stage(name), noise))
    return [*(step.x_t for step in steps[1:]), steps[-1].x_0]


def stage_noise(cascade: Cascade, name: str, recipe: Recipe) -> StageNoise:
    return StageNoise(recipe.seed, name, recipe.num_images, cascade.stages[name].size)


def low_res_picture(num_images: int) -> Tensor:
    return torch.rand(num_images, 3, 16, 16, generator=Generator().manual_seed(1)) * 2 - 1


def plain(num_steps: int) -> list[int]:
    """The timesteps that diffusers itself takes for so many steps."""
    scheduler = DDPMScheduler(beta_schedule="squaredcos_cap_v2")
    scheduler.set_timesteps(num_steps)
    return [int(t) for t in scheduler.timesteps]


def timesteps_of(name: str) -> list[int]:
    return plain(int(name)) if name.isdigit() else spaced_timesteps(name, 1, linear_schedule())


def recipe_of(name: str, guidance_scale: float, num_images: int = 1, prompt: str = PROMPT) -> Recipe:
    stage = StageRecipe(
        1,
        "ddpm",
        guidance_scale=guidance_scale,
        thresholding="dynamic",
        percentile=95.0,
        aug_level=0.25 if name == "sr256" else 0.0,
    )
    return replace(Recipe(prompt=prompt, seed=11, num_images=num_images, last_stage="sr256"), **{name: stage})


def largest_distance(ours: list[Tensor], theirs: list[Tensor]) -> float:
    """Of any number of any image at any step."""
    assert len(ours) == len(theirs)
    return max((own - their).abs().max().item() for own, their in zip(ours, theirs, strict=True))


def their_states(
    pipelines: dict[str, Any], cascade: Cascade, name: str, timesteps: list[int], recipe: Recipe
) -> list[Tensor]:
    given = {"image": low_res_picture(recipe.num_images)} if name == "sr256" else {}
    followed = Followed(pipelines[name], stage_noise(cascade, name, recipe))
    return followed(timesteps, recipe.stage(name).guidance_scale, **given)
