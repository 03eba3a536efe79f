"""The x4 upscaler as files: a model of three stages with it, what is fetched, its memory, damaged folders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from imagen_core.deepfloyd import Options, memory_plan
from imagen_core.deepfloyd_files import is_whole, wanted_files
from imagen_core.events import Preview, StageFinished, StageStarted
from imagen_core.imagen import Imagen
from imagen_core.model_names import model_named
from imagen_core.models.deepfloyd import load_unet
from imagen_core.models.upscaler import Decoder, LatentUpscaler
from imagen_core.presets import UPSCALER_SR1024
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.shards import CheckpointError
from imagen_core.threshold_comparison import compare_thresholding
from imagen_core.upscaler_checkpoint import load_upscaler
from tests.deepfloyd_folder import upscaling_pipeline, write_folder, write_model

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("upscaler"), upscaling_pipeline())


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


def test_a_picture_is_decoded_once_and_marked_once(model: Path) -> None:
    imagen = Imagen.from_pretrained(model, "cpu")
    decoded: list[int] = []
    marked: list[int] = []
    stage = imagen.cascade.stages["sr1024"]
    assert stage.latents is not None
    assert isinstance(stage.latents.decode, Decoder)
    stage.latents.decode.register_forward_pre_hook(lambda _, given: decoded.append(given[0].shape[2]))

    def mark(images: Tensor) -> Tensor:
        marked.append(images.shape[2])
        return images

    imagen.cascade.stages = {**imagen.cascade.stages, "sr1024": replace(stage, marked=mark)}
    one: dict[str, object] = {"num_steps": 1, "spacing": "trailing"}
    list(imagen.stream(imagen.recipe("a cat").updated({"base": one, "sr256": one, "sr1024": {"num_steps": 3}})))
    assert (decoded, marked) == ([64, 64, 256], [1024])


def test_its_memory_is_planned(model: Path) -> None:
    folders = {stage: model / stage for stage in ("base", "sr256", "sr1024")}
    plan = memory_plan(folders, CPU, Options())
    assert [part.name for part in plan.parts] == ["T5", "base", "sr256", "sr1024", "CLIP", "decoder", "safety checker"]
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
        changed("model_index.json", max_noise_level=1000),  # failed in the midst of drawing at aug_level 1
        changed("model_index.json", max_noise_level=-1),
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
