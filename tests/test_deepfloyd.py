"""DeepFloyd IF through our cascade, held against diffusers' own pipelines step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import IFPipeline, IFSuperResolutionPipeline, UNet2DConditionModel
from torch import Tensor

from imagen_core.cascade import Cascade
from imagen_core.deepfloyd_checkpoints import Loading, load_stage, load_text_encoder
from imagen_core.events import Preview, StageFinished, StageStarted, Stopped
from imagen_core.models.conditioning import UNetConditioning
from imagen_core.models.deepfloyd import DeepFloydUNet, noise_level
from imagen_core.noise_conditioning import upsample
from imagen_core.noise_schedule import linear_schedule
from imagen_core.recipe import Recipe
from imagen_core.together import together
from tests.deepfloyd_folder import T5_WIDTH, base_pipeline, enlarging_pipeline, write_folder
from tests.deepfloyd_runs import (
    PROMPT,
    Followed,
    largest_distance,
    low_res_picture,
    recipe_of,
    stage_noise,
    states,
    their_states,
    timesteps_of,
)

SMALL = {"block_out_channels": (32,), "down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",)}
CLOSE = 1e-4


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A first stage of 16 pixels and one that enlarges them to 32: the same mathematics at any size."""
    root = tmp_path_factory.mktemp("deepfloyd")
    return {
        "base": write_folder(root / "IF-I", base_pipeline(16)),
        "sr256": write_folder(root / "IF-II", enlarging_pipeline(32)),
    }


@pytest.fixture(scope="module")
def cascade(folders: dict[str, Path]) -> Cascade:
    text_encoder = load_text_encoder(folders["base"], Loading())
    stages = {name: load_stage(folder, name, text_encoder, Loading()) for name, folder in folders.items()}
    return Cascade(stages, torch.device("cpu"))


@pytest.fixture(scope="module")
def pipelines(folders: dict[str, Path]) -> dict[str, Any]:
    """Diffusers' pipelines from the same files: where in memory a weight begins decides the last bit of a sum."""
    options = {"safety_checker": None, "requires_safety_checker": False, "watermarker": None}
    return {
        "base": IFPipeline.from_pretrained(folders["base"], **options),
        "sr256": IFSuperResolutionPipeline.from_pretrained(folders["sr256"], **options),
    }


@pytest.mark.parametrize("name", ["base", "sr256"])
@pytest.mark.parametrize(
    ("timesteps", "guidance_scale", "num_images"),
    [
        *(("fast27", guidance_scale, num_images) for guidance_scale in (1.0, 7.0) for num_images in (1, 3)),
        *(("10", guidance_scale, num_images) for guidance_scale in (1.0, 7.0) for num_images in (1, 3)),
        ("smart27", 1.0, 3),
        ("smart27", 7.0, 1),
        ("super40", 7.0, 1),
        ("smart50", 7.0, 1),
    ],
)
def test_a_stage_is_that_of_diffusers_at_every_step(
    cascade: Cascade, pipelines: dict[str, Any], name: str, timesteps: str, guidance_scale: float, num_images: int
) -> None:
    recipe, listed = recipe_of(name, guidance_scale, num_images), timesteps_of(timesteps)
    ours = states(cascade, name, listed, recipe, chunk=None)
    theirs = their_states(pipelines, cascade, name, listed, recipe)
    distance = largest_distance(ours, theirs)
    assert distance <= CLOSE, f"{distance:.1e}"
    assert ours[-1].std() > 0.05, "a flat picture is like any other"


@pytest.mark.parametrize("name", ["base", "sr256"])
def test_all_that_is_compared_moves_the_picture(cascade: Cascade, name: str) -> None:
    """Were text, guidance, variance, cap or level without effect on the tiny networks, equality would tell nothing."""
    listed, recipe = timesteps_of("10"), recipe_of(name, 7.0)
    stage, usual = cascade.stages[name], states(cascade, name, timesteps_of("10"), recipe_of(name, 7.0), None)
    others = {
        "text": (cascade, recipe_of(name, 7.0, prompt="two green cubes")),
        "guidance": (cascade, recipe_of(name, 1.0)),
        "variance": (Cascade({**cascade.stages, name: replace(stage, learned_variance=False)}, cascade.device), recipe),
        "empty prompt": (
            Cascade({**cascade.stages, name: replace(stage, encodes_empty=False)}, cascade.device),
            recipe,
        ),
    }
    if name == "base":
        others["cap"] = (Cascade({name: replace(stage, threshold_cap=None)}, cascade.device), recipe)
    else:
        levelled = replace(recipe, sr256=replace(recipe.sr256, aug_level=0.3))
        others["level"] = (cascade, levelled)
        others["corners"] = (
            Cascade({**cascade.stages, name: replace(stage, low_res=half_pixel)}, cascade.device),
            recipe,
        )
    for what, (other, changed) in others.items():
        assert largest_distance(states(other, name, listed, changed, None), usual) > 100 * CLOSE, what


@pytest.mark.parametrize("name", ["base", "sr256"])
def test_on_a_processor_each_image_is_that_of_diffusers_drawn_alone(
    cascade: Cascade, pipelines: dict[str, Any], name: str
) -> None:
    """There images go through the networks one by one; how many go together decides the last bit of a sum."""
    listed, recipe = timesteps_of("smart27"), recipe_of(name, 7.0, num_images=2)
    together = states(cascade, name, listed, recipe, chunk=1)
    for image in range(2):
        alone = recipe.for_image(image)
        picture = low_res_picture(2)[image : image + 1]
        followed = Followed(pipelines[name], stage_noise(cascade, name, alone))
        theirs = followed(listed, 7.0, **({"image": picture} if name == "sr256" else {}))
        assert largest_distance([state[image : image + 1] for state in together], theirs) <= CLOSE


def test_two_stages_in_one_run_are_the_two_pipelines_in_a_row(cascade: Cascade, pipelines: dict[str, Any]) -> None:
    recipe = recipe_of("base", 7.0)
    recipe = replace(
        recipe,
        base=replace(recipe.base, spacing="fast27"),
        sr256=replace(recipe_of("sr256", 4.0).sr256, spacing="super27"),
    )
    events = list(cascade.run(recipe))
    assert [event.num_steps for event in events if isinstance(event, StageStarted)] == [27, 27]
    assert sum(isinstance(event, Preview) for event in events) == 54
    (base, sr256) = (event.x_0 for event in events if isinstance(event, StageFinished))
    first = Followed(pipelines["base"], stage_noise(cascade, "base", recipe))(timesteps_of("fast27"), 7.0)
    second = Followed(pipelines["sr256"], stage_noise(cascade, "sr256", recipe))
    assert largest_distance([base], first[-1:]) <= CLOSE
    assert largest_distance([sr256], second(timesteps_of("super27"), 4.0, image=first[-1])[-1:]) <= CLOSE


def test_other_schedulers_draw_without_the_variance(cascade: Cascade) -> None:
    recipe = recipe_of("base", 7.0)
    for scheduler in ("ddim", "dpmsolver++"):
        chosen = replace(recipe.base, scheduler=scheduler, num_steps=6, spacing="logsnr")
        *_, last = cascade.run(replace(recipe, last_stage="base", base=chosen))
        assert isinstance(last, StageFinished)
        assert last.x_0.isfinite().all()


def test_a_run_stops_between_the_blocks_of_a_network(cascade: Cascade) -> None:
    calls = 0

    def third_block_stops() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Stopped

    text = cascade.text_encoder.encode(PROMPT)
    given = UNetConditioning(text.states, text.mask)
    unet, x_t = cascade.stages["base"].unet, torch.zeros(1, 3, 16, 16)
    with pytest.raises(Stopped):
        unet(x_t, torch.tensor([500.0]), given, between_blocks=third_block_stops)
    assert unet(x_t, torch.tensor([500.0]), given).shape == (1, 6, 16, 16)
    assert calls == 3


def test_a_network_is_told_apart_from_another_kind(cascade: Cascade) -> None:
    text = cascade.text_encoder.encode(PROMPT)
    x_t, t = torch.zeros(1, 3, 16, 16), torch.tensor([500.0])
    with pytest.raises(ValueError, match="needs low_res and aug_level"):
        cascade.stages["sr256"].unet(x_t, t, UNetConditioning(text.states, text.mask))
    with pytest.raises(ValueError, match="only a super-resolution U-Net"):
        cascade.stages["base"].unet(x_t, t, UNetConditioning(text.states, text.mask, x_t, t))
    with pytest.raises(ValueError, match="this one 6 input and 3 output channels"):
        DeepFloydUNet(UNet2DConditionModel(in_channels=6, out_channels=3, **SMALL))
    with pytest.raises(ValueError, match="if, and only if, it enlarges"):
        DeepFloydUNet(UNet2DConditionModel(in_channels=6, out_channels=6, **SMALL))


def test_levels_of_noise_are_timesteps() -> None:
    levels = noise_level(torch.tensor([0.0, 0.25, 0.9994, 0.9996, 1.0]))
    assert levels.tolist() == [0, 250, 999, 999, 999]


def test_texts_are_read_as_diffusers_reads_them(cascade: Cascade, pipelines: dict[str, Any]) -> None:
    for prompt in (PROMPT, "", "  ", "word " * 40, "ABC"):
        theirs, _ = pipelines["base"].encode_prompt(prompt, do_classifier_free_guidance=False)
        ours = cascade.text_encoder.encode(prompt)
        assert ours.states.shape == (1, 77, T5_WIDTH)
        assert torch.allclose(ours.states, theirs, atol=1e-6)
    reading = cascade.text_encoder.read("  A Red Apple ")
    assert (reading.kept, reading.max_tokens) == ("A Red Apple", 77)  # told as typed


def half_pixel(picture: Tensor, aug_level: float, size: int, draw: Callable[[int], Tensor]) -> Tensor:
    """The level's noise on a picture enlarged in another way."""
    alpha_bar = linear_schedule().alphas_cumprod[250].item()
    return upsample(picture, size) * alpha_bar**0.5 + draw(size) * (1 - alpha_bar) ** 0.5


def test_recipes_drawn_together_are_what_they_are_alone(cascade: Cascade) -> None:
    """Of the variance that the network predicts, and of the empty prompt that it is guided away from, too."""
    small = Recipe(prompt=PROMPT, seed=5, last_stage="sr256").updated(
        {
            "base": {"num_steps": 3, "scheduler": "ddpm"},
            "sr256": {"num_steps": 2, "scheduler": "ddpm", "aug_level": 0.25},
        }
    )
    changes: list[dict[str, Any]] = [
        {},
        {"prompt": "a (green:1.5) car", "base": {"guidance_scale": 9, "num_steps": 4}},
        {"negative_prompt": "fog", "sr256": {"aug_level": 0.75, "guidance_scale": 3}},
        {"base": {"guidance_scale": 1}},
    ]
    recipes = [small.updated(change) for change in changes]
    cascade.forget()
    finished = {(place, e.stage): e.x_0 for place, e in together(cascade, recipes) if isinstance(e, StageFinished)}
    assert len(finished) == 2 * len(recipes)
    cascade.forget()
    for place, recipe in enumerate(recipes):
        for event in cascade.run(recipe):
            if isinstance(event, StageFinished):
                torch.testing.assert_close(finished[place, event.stage], event.x_0, atol=CLOSE, rtol=0)
