"""Model folders in DeepFloyd IF's layout: what is loaded, what is refused, and with what words."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from imagen_core.deepfloyd_checkpoints import (
    Loading,
    load_stage,
    load_text_encoder,
)
from imagen_core.events import Event, Preview, StageError, StageFinished
from imagen_core.imagen import Imagen
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.shards import CheckpointError
from tests.deepfloyd_fixtures import copy, model
from tests.deepfloyd_folder import (
    base_pipeline,
    tiny_checker,
    tiny_tokenizer,
    tiny_watermark,
    write_folder,
)

__all__ = ("copy", "model")  # fixtures
WATERMARK = "diffusion_pytorch_model.safetensors"
QUICK = {"spacing": "trailing", "num_steps": 2}


def quick(imagen: Imagen, **values: object) -> Recipe:
    return imagen.recipe("a red apple", 7).updated(
        {"base": QUICK, "sr256": QUICK, "sr1024": {"num_steps": 1}, **values}
    )


def test_a_folder_draws_all_three_stages_with_events_and_plan(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imagen = Imagen.from_pretrained(str(model), "cpu")
    assert "Memory on cpu" in (told := capsys.readouterr().err)
    assert all(name in told for name in ("T5", "base", "sr256"))
    assert (imagen.name, imagen.recipe().base.spacing) == ("local", "smart50")
    events = list(imagen.stream(quick(imagen)))
    finished = {event.stage: event.x_0 for event in events if isinstance(event, StageFinished)}
    assert {name: picture.shape[-1] for name, picture in finished.items()} == {"base": 64, "sr256": 256, "sr1024": 1024}
    stages = imagen.cascade.stages
    assert stages["base"].text_encoder is stages["sr256"].text_encoder is not stages["sr1024"].text_encoder
    for name, size in (
        ("base", 64),
        ("sr256", 256),
        ("sr1024", 1024),
    ):  # marked: a red square in the lower right corner
        corner = finished[name][0, :, size - size * 20 // 1024, size - size * 20 // 1024]
        assert corner.tolist() == [1.0, -1.0, -1.0]


def test_what_is_enlarged_has_no_watermark(model: Path) -> None:
    """The next stage is shown the picture as it was drawn."""
    imagen = Imagen.from_pretrained(str(model), "cpu")
    recipe = quick(imagen)
    events = list(imagen.stream(recipe))
    marked = events[-1]
    for stage, finished in ((e.stage, e) for e in events if isinstance(e, StageFinished)):
        last = [e for e in events if isinstance(e, Preview) and e.stage == stage][-1]
        assert torch.equal(last.x_0, finished.x_0)  # what is shown of the picture before its end has the mark, too
    imagen.cascade.forget()
    stages = {name: replace(stage, marked=None) for name, stage in imagen.cascade.stages.items()}
    imagen.cascade.stages = stages
    plain = list(imagen.stream(recipe))[-1]
    assert isinstance(marked, StageFinished)
    assert isinstance(plain, StageFinished)
    assert (marked.x_0 - plain.x_0)[..., :900, :900].abs().max() <= 1 / 255 + 1e-6


def test_nothing_larger_than_64_pixels_leaves_where_the_checker_refuses(copy: Path) -> None:
    tiny_checker(copy / "base", refuses=True)
    imagen = Imagen.from_pretrained(str(copy), "cpu")
    seen: list[Event] = []
    with pytest.raises(
        StageError, match=r"^base: the model's safety checker refuses the picture; another prompt"
    ) as told:
        seen.extend(imagen.stream(quick(imagen)))
    assert told.value.stage == "base"
    previews = [event for event in seen if isinstance(event, Preview)]
    assert [(event.stage, event.step, event.num_steps) for event in previews] == [("base", 1, 2)]  # not the picture
    assert not any(isinstance(event, StageFinished) for event in seen)
    with pytest.raises(StageError, match="of 2 pictures number 1, 2;"):
        list(imagen.stream(quick(imagen, num_images=2)))


def test_without_a_safety_checker_nothing_is_loaded_unless_the_folder_says_that_none_is_needed(copy: Path) -> None:
    shutil.rmtree(copy / "base" / "safety_checker")
    index = copy / "base" / "model_index.json"
    values = json.loads(index.read_text())
    assert Imagen.from_pretrained(str(copy), "cpu").cascade.stages["base"].refused is None  # it says false
    for needed in (True, None):
        values["requires_safety_checker"] = needed
        index.write_text(json.dumps(values))
        with pytest.raises(CheckpointError, match="There are no weights of safety_checker"):
            Imagen.from_pretrained(str(copy), "cpu")


def test_a_checker_that_the_index_lists_must_be_there(copy: Path) -> None:
    shutil.rmtree(copy / "base" / "safety_checker")
    index = copy / "base" / "model_index.json"
    values = json.loads(index.read_text()) | {"safety_checker": ["deepfloyd_if", "IFSafetyChecker"]}
    index.write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match="There are no weights of safety_checker"):
        Imagen.from_pretrained(str(copy), "cpu")


@pytest.mark.parametrize(
    ("values", "cap", "learned"),
    [
        ({}, 1.5, True),
        ({"sample_max_value": 1.0}, 1.0, True),
        ({"thresholding": False}, 1.0, True),  # clips to [-1, 1]
        ({"thresholding": False, "clip_sample": False}, None, True),
        ({"variance_type": "fixed_small"}, 1.5, False),
    ],
)
def test_the_scheduler_of_a_folder_says_how_far_x_0_may_go(
    copy: Path, values: dict[str, object], cap: float | None, learned: bool
) -> None:
    path = copy / "base" / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    stage = load_stage(copy / "base", "base", load_text_encoder(copy / "base", Loading()), Loading())
    assert (stage.threshold_cap, stage.learned_variance) == (cap, learned)


def test_a_scheduler_with_a_cap_below_1_is_refused(copy: Path) -> None:
    path = copy / "base" / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sample_max_value": 0.9}))
    with pytest.raises(CheckpointError, match=r"sample_max_value is 0\.9, allowed is 1 and above"):
        Imagen.from_pretrained(str(copy), "cpu")


def test_a_scheduler_that_draws_otherwise_is_refused(copy: Path) -> None:
    path = copy / "base" / "scheduler" / "scheduler_config.json"
    usual = json.loads(path.read_text())
    text_encoder = load_text_encoder(copy / "base", Loading())
    for values, sentence in (
        ({"variance_type": "fixed_large"}, "its scheduler's variance is 'fixed_large', not learned_range or"),
        ({"prediction_type": "v_prediction"}, "its scheduler predicts 'v_prediction', not epsilon"),
    ):
        path.write_text(json.dumps(usual | values))
        with pytest.raises(CheckpointError, match=sentence):
            load_stage(copy / "base", "base", text_encoder, Loading())


def test_checker_and_watermark_in_half_precision_alone_are_read(copy: Path) -> None:
    for path in (copy / "base" / "safety_checker" / "model.safetensors", copy / "sr256" / "watermarker" / WATERMARK):
        path.rename(path.with_suffix(".fp16.safetensors"))
    stages = Imagen.from_pretrained(str(copy), "cpu").cascade.stages
    pictures = torch.zeros(1, 3, 256, 256)
    assert stages["sr256"].refused(pictures) == (False,)
    assert stages["sr256"].marked(pictures)[0, 0].max() == 1


def test_a_damaged_checker_or_an_empty_watermark_is_an_error(copy: Path) -> None:
    tiny_watermark(copy / "sr256", empty=True)
    with pytest.raises(CheckpointError, match=r"The watermark in .* is empty"):
        Imagen.from_pretrained(str(copy), "cpu")
    tiny_watermark(copy / "sr256")
    (copy / "base" / "safety_checker" / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="nothing is drawn without it"):
        Imagen.from_pretrained(str(copy), "cpu")


def test_a_first_stage_alone_is_a_model_of_one_stage(model: Path) -> None:
    imagen = Imagen.from_pretrained(str(model / "base"), "cpu")
    assert imagen.recipe().last_stage == "base"
    with pytest.raises(RecipeError, match=r"^last_stage must be base, for the model has no sr256 stage\.$"):
        imagen.stream(replace(quick(imagen), last_stage="sr1024"))
    assert imagen.generate(quick(imagen))[0].size == (64, 64)


def test_code_in_a_folder_is_not_run(copy: Path) -> None:
    """Neither a tokenizer nor a network that names a class of its own brings that class along."""
    for folder, name in (
        ("tokenizer", "tokenizer_config.json"),
        ("text_encoder", "config.json"),
        ("unet", "config.json"),
    ):
        path = copy / "base" / folder / name
        values = json.loads(path.read_text())
        values["auto_map"] = {"AutoTokenizer": ["bad.Bad", None], "AutoModel": "bad.Bad"}
        path.write_text(json.dumps(values))
        (copy / "base" / folder / "bad.py").write_text("raise SystemExit('code was run')")
    Imagen.from_pretrained(str(copy), "cpu")


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("base/unet/config.json", "holds no base stage that this program knows: "),
        ("base/scheduler/scheduler_config.json", "holds no base stage that this program knows: "),
        ("base/tokenizer/tokenizer.json", "holds no text encoder that this program knows: "),
        ("sr256/image_noising_scheduler/scheduler_config.json", "holds no sr256 stage that this program knows: "),
        ("base/model_index.json", "holds no model that this program knows: "),
        ("base/unet/diffusion_pytorch_model.safetensors.index.json", "holds no unet that this program knows: "),
    ],
)
def test_a_damaged_file_is_one_sentence(copy: Path, path: str, sentence: str) -> None:
    if path.endswith(".index.json"):  # as where the weights are in pieces
        whole = copy / "base" / "unet" / "diffusion_pytorch_model.safetensors"
        whole.rename(whole.with_stem("diffusion_pytorch_model-00001-of-00001"))
    (copy / path).write_text("{")
    with pytest.raises(CheckpointError, match=sentence) as told:
        Imagen.from_pretrained(str(copy), "cpu")
    assert "\n" not in str(told.value)


def test_stages_in_the_wrong_place_are_refused(model: Path) -> None:
    text_encoder = load_text_encoder(model / "base", Loading())
    with pytest.raises(CheckpointError, match=r"no base stage .*: its U-Net enlarges a picture\."):
        load_stage(model / "sr256", "base", text_encoder, Loading())
    with pytest.raises(CheckpointError, match=r"no sr256 stage .*: its U-Net enlarges none\."):
        load_stage(model / "base", "sr256", text_encoder, Loading())


def test_the_size_of_a_stage_is_checked(copy: Path) -> None:
    shutil.rmtree(copy / "base")
    write_folder(copy / "base", base_pipeline(32))
    with pytest.raises(CheckpointError, match="draws 32 pixels where base has 64"):
        Imagen.from_pretrained(str(copy), "cpu")


def test_a_tokenizer_from_sentencepiece_alone_reads_the_same(copy: Path) -> None:
    from tests.sentencepiece_file import sentencepiece_file

    folder = copy / "base" / "tokenizer"
    before = load_text_encoder(copy / "base", Loading()).encode("a red apple")
    fast = Tokenizer.from_file(str(folder / "tokenizer.json"))
    (folder / "spiece.model").write_bytes(sentencepiece_file(json.loads(fast.to_str())))
    (folder / "tokenizer.json").unlink()
    after = load_text_encoder(copy / "base", Loading()).encode("a red apple")
    assert torch.equal(before.states, after.states)
    assert tiny_tokenizer()("a red apple").input_ids == [30, 47, 8, 7, 30, 19, 19, 15, 8, 1]
