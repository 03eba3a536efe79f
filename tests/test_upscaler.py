"""Stable Diffusion's x4 upscaler as the third stage, held against diffusers' own pipeline step by step."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionUpscalePipeline
from torch import Generator, Tensor

from imagen_core.cascade import Cascade
from imagen_core.deepfloyd import Options, memory_plan
from imagen_core.deepfloyd_files import is_whole, wanted_files
from imagen_core.denoiser import Denoiser
from imagen_core.events import Preview, StageFinished, StageStarted, Stopped
from imagen_core.imagen import Imagen
from imagen_core.model_names import model_named
from imagen_core.models.deepfloyd import load_unet
from imagen_core.models.upscaler import LatentUpscaler
from imagen_core.noise import generator
from imagen_core.presets import UPSCALER_SR1024
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.sampler import Step, sample
from imagen_core.schedulers import Scheduler
from imagen_core.shards import CheckpointError
from imagen_core.stage import Stage
from imagen_core.threshold_comparison import compare_thresholding
from imagen_core.upscaler_checkpoint import load_upscaler
from tests.deepfloyd_folder import upscaling_pipeline, write_folder, write_model

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


@pytest.fixture(scope="module")
def model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three stages in folders called as they are."""
    whole = write_model(tmp_path_factory.mktemp("model"))
    shutil.copytree(folder, whole / "sr1024")
    return whole


def finished(imagen: Imagen, recipe: Recipe) -> Tensor:
    return [event for event in imagen.stream(recipe) if isinstance(event, StageFinished)][-1].x_0


def test_a_folder_with_it_draws_all_three_stages(model: Path) -> None:
    found = model_named(str(model))
    assert found is not None
    assert found.recipe.sr1024 == UPSCALER_SR1024
    imagen = Imagen.from_pretrained(model, "cpu")
    one: dict[str, object] = {"num_steps": 2, "spacing": "trailing"}
    recipe = imagen.recipe("a red apple", seed=3).updated({"base": one, "sr256": one, "sr1024": {"num_steps": 2}})
    events = list(imagen.stream(recipe))
    previews = [event for event in events if isinstance(event, Preview) and event.stage == "sr1024"]
    assert [tuple(preview.x_0.shape) for preview in previews] == [(1, 3, 256, 256), (1, 3, 1024, 1024)]
    assert all(preview.x_t.shape == (1, 3, 256, 256) for preview in previews)
    assert all(preview.x_0.abs().max() <= 1 for preview in previews)
    last = events[-1]
    assert isinstance(last, StageFinished)
    assert torch.equal(last.x_0, previews[-1].x_0)
    # Its pictures are kept like those of any stage.
    assert not [event for event in imagen.stream(recipe) if isinstance(event, StageStarted)]
    assert torch.equal(finished(imagen, recipe.updated({"sr1024": {"thresholding": "dynamic"}})), last.x_0)
    fork = recipe.forked("sr1024", 1, {"sr1024": {"guidance_scale": 3.0}})
    assert not torch.equal(finished(imagen, fork), last.x_0)
    with pytest.raises(RecipeError, match="is drawn in the latents of an autoencoder"):
        next(iter(compare_thresholding(imagen.cascade, recipe, "sr1024", 0, lambda: None)))


def test_its_memory_is_planned(model: Path) -> None:
    folders = {stage: model / stage for stage in ("base", "sr256", "sr1024")}
    plan = memory_plan(folders, CPU, Options())
    assert [part.name for part in plan.parts] == ["T5", "base", "sr256", "sr1024", "CLIP", "decoder"]
    assert {part.name: part.number_format for part in plan.parts}["decoder"] == "float32"
    assert all(part.nbytes > 1000 for part in plan.parts)


def test_what_is_fetched_of_a_repository_is_all_that_it_takes_and_no_more(folder: Path, tmp_path: Path) -> None:
    names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    beside = [
        "x4-upscaler-ema.safetensors",
        "unet/diffusion_pytorch_model.bin",
        "README.md",
        "safety_checker/config.json",
    ]
    wanted = wanted_files([*names, *beside], "sr1024", torch.float32)
    assert not set(wanted) & set(beside)
    for name in wanted:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / name, tmp_path / name)
    assert is_whole(tmp_path, "sr1024", torch.float32)
    load_upscaler(tmp_path, torch.float32)
    for name in ("vae/config.json", "tokenizer/tokenizer.json", "unet/diffusion_pytorch_model.safetensors"):
        (tmp_path / name).rename(tmp_path / "away")
        assert not is_whole(tmp_path, "sr1024", torch.float32), name
        (tmp_path / "away").rename(tmp_path / name)


def test_without_a_second_stage_there_is_nothing_to_enlarge(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model / "base", tmp_path / "base")
    shutil.copytree(model / "sr1024", tmp_path / "sr1024")
    found = model_named(str(tmp_path))
    assert found is not None
    assert dict(found.folders) == {"base": tmp_path / "base"}


def changed(name: str, **values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


def emptied(name: str) -> Callable[[Path], None]:
    def empty(folder: Path) -> None:
        for path in (folder / name).iterdir():
            path.unlink()

    return empty


@pytest.mark.parametrize(
    "damage",
    [
        changed("unet/config.json", num_class_embeds=None),
        changed("scheduler/scheduler_config.json", prediction_type="sample"),
        changed("model_index.json", max_noise_level="many"),
        emptied("tokenizer"),
        emptied("vae"),
        emptied("low_res_scheduler"),
    ],
)
def test_a_damaged_folder_is_one_sentence(folder: Path, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    damage(copy)
    with pytest.raises(CheckpointError) as told:
        load_upscaler(copy, torch.float32)
    assert "\n" not in str(told.value)


def test_another_kind_of_network_is_refused(model: Path) -> None:
    with pytest.raises(ValueError, match="takes latents, a picture and the level"):
        LatentUpscaler(load_unet(model / "sr256" / "unet", None, torch.float32), 350)
