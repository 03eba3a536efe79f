"""The weights of a folder in DeepFloyd IF's layout: which of them are read, and which are refused."""

from __future__ import annotations

import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from imagen_core import deepfloyd, deepfloyd_checkpoints
from imagen_core.deepfloyd import Options
from imagen_core.deepfloyd_checkpoints import Loading, load_stage, load_text_encoder
from imagen_core.deepfloyd_safety import load_checker
from imagen_core.imagen import Imagen
from imagen_core.model_folder import TEXT_ENCODER, UNET, weight_files, weight_names
from imagen_core.model_names import model_named
from imagen_core.shards import CheckpointError
from tests.deepfloyd_fixtures import copy, model
from tests.deepfloyd_folder import base_pipeline, write_folder

__all__ = ("copy", "model")  # fixtures
CPU = torch.device("cpu")
HAS_EIGHT_BITS = find_spec("bitsandbytes") is not None


def test_pickles_are_refused_by_name(copy: Path) -> None:
    weights = copy / "base" / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(CheckpointError, match=r"unet/diffusion_pytorch_model\.bin is a pickle, which can run code"):
        Imagen.from_pretrained(str(copy), "cpu")
    weights.with_suffix(".bin").unlink()
    with pytest.raises(CheckpointError, match=r"no weights of unet: diffusion_pytorch_model\.safetensors is missing"):
        Imagen.from_pretrained(str(copy), "cpu")


def test_a_damaged_weight_file_is_found_before_anything_is_loaded(copy: Path) -> None:
    (copy / "sr256" / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"\0" * 4)
    with pytest.raises(CheckpointError, match="is no whole safetensors file: fetch it again"):
        deepfloyd.memory_plan(dict(model_named(str(copy)).folders), CPU, Options())


def test_weights_that_are_missing_in_a_file_are_not_drawn_at_random(copy: Path) -> None:
    """What the libraries would do, with a warning alone."""
    for file, name in (
        ("base/unet/diffusion_pytorch_model.safetensors", "conv_out.weight"),
        ("base/text_encoder/model.safetensors", "encoder.block.0.layer.1.DenseReluDense.wo.weight"),
        ("base/safety_checker/model.safetensors", "p_head.weight"),
    ):
        weights = load_file(copy / file)
        save_file({n: tensor for n, tensor in weights.items() if n != name}, copy / file, metadata={"format": "pt"})
        with pytest.raises(CheckpointError, match=rf"weights are missing, {re.escape(name)} among them\.$"):
            Imagen.from_pretrained(str(copy), "cpu")
        save_file(weights, copy / file, metadata={"format": "pt"})


def test_bytes_are_those_of_what_is_loaded(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In float16, transformers keeps some layers of T5 in float32."""
    folders = dict(model_named(str(copy)).folders)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        monkeypatch.setattr(deepfloyd, "number_format", lambda _, dtype=dtype: dtype)
        text_encoder = load_text_encoder(folders["base"], Loading(dtype))
        networks = {"T5": text_encoder.model}
        networks |= {name: load_stage(path, name, text_encoder, Loading(dtype)).unet for name, path in folders.items()}
        networks["safety checker"] = load_checker(folders["base"], None)
        plan = deepfloyd.memory_plan(folders, CPU, Options())
        assert {part.name: part.nbytes for part in plan.parts} == {
            name: sum(weight.nbytes for weight in network.parameters()) for name, network in networks.items()
        }
        (small, *_) = deepfloyd.memory_plan(folders, CPU, Options(eight_bit=True)).parts
        assert (small.stays, small.number_format) == (True, "8 bits")
        if HAS_EIGHT_BITS:
            weights = load_text_encoder(folders["base"], Loading(dtype, eight_bit=True)).model.parameters()
            assert small.nbytes == sum(weight.nbytes for weight in weights)


def test_half_weights_are_read_for_half_formats_and_where_there_are_no_others(copy: Path, tmp_path: Path) -> None:
    unet = copy / "base" / "unet"
    plain = unet / "diffusion_pytorch_model.safetensors"
    half = unet / "diffusion_pytorch_model.fp16.safetensors"
    write_folder(tmp_path / "half", base_pipeline().to(torch.float16), "fp16")
    shutil.copy(tmp_path / "half" / "unet" / half.name, half)
    assert weight_files(copy / "base", UNET, torch.float32) == (None, (plain,))
    assert weight_files(copy / "base", UNET, torch.float16) == ("fp16", (half,))
    plain.unlink()
    assert weight_files(copy / "base", UNET, torch.float32) == ("fp16", (half,))
    text_encoder = load_text_encoder(tmp_path / "half", Loading(torch.bfloat16))
    stage = load_stage(tmp_path / "half", "base", text_encoder, Loading(torch.bfloat16))
    assert {parameter.dtype for parameter in stage.unet.parameters()} == {torch.bfloat16}
    assert text_encoder.encode("a red apple").states.dtype == torch.float32


def test_weights_in_shards_need_all_of_them(copy: Path) -> None:
    shutil.rmtree(copy / "base" / "unet")
    base_pipeline().unet.save_pretrained(copy / "base" / "unet", max_shard_size="100KB")
    _, files = weight_files(copy / "base", UNET, torch.float32)
    assert len(files) > 1
    load_stage(copy / "base", "base", load_text_encoder(copy / "base", Loading()), Loading())
    files[1].unlink()
    with pytest.raises(CheckpointError, match=rf"unet/{files[1].name} is missing"):
        weight_files(copy / "base", UNET, torch.float32)


@pytest.mark.parametrize(
    ("weight_map", "problem"),
    [
        ('{"a": 3}', "holds no unet that this program knows"),
        ('{"a": "x.safetensors", "b": null}', "holds no unet that this program knows"),
        ('{"a": "../../other/unet.safetensors"}', "names files of another folder"),
        pytest.param("[" * 100_000, "nested too deeply", id="nested"),
    ],
)
def test_an_index_that_names_no_files_is_told(copy: Path, weight_map: str, problem: str) -> None:
    """A number instead of a name was an error of the program, in the midst of loading."""
    for old in (copy / "base" / "unet").glob("*.safetensors"):
        old.unlink()
    base_pipeline().unet.save_pretrained(copy / "base" / "unet", max_shard_size="100KB")
    index = copy / "base" / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(f'{{"weight_map": {weight_map}}}')
    with pytest.raises(CheckpointError, match=problem):
        weight_files(copy / "base", UNET, torch.float32)


def test_the_names_of_the_published_repositories_are_understood() -> None:
    t5 = [f"text_encoder/model{kind}-0000{part}-of-00002.safetensors" for kind in ("", ".fp16") for part in (1, 2)]
    indices = ["text_encoder/model.safetensors.index.json", "text_encoder/model.safetensors.index.fp16.json"]
    pickles = ["text_encoder/pytorch_model-00001-of-00002.bin", "text_encoder/pytorch_model.bin.index.json"]
    names = [*t5, *indices, *pickles]
    assert weight_names(names, TEXT_ENCODER, half=True) == ("fp16", (*t5[2:], indices[1]))
    assert weight_names(names, TEXT_ENCODER, half=False) == (None, (*t5[:2], indices[0]))
    with pytest.raises(CheckpointError, match=r"text_encoder/pytorch_model-00001-of-00002\.bin is a pickle"):
        weight_names(pickles, TEXT_ENCODER, half=False)


def test_eight_bits_need_a_package(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepfloyd_checkpoints, "find_spec", lambda _: None)
    with pytest.raises(CheckpointError, match=r"T5 in 8 bits needs a package: pip install bitsandbytes==[0-9.]+, or"):
        Imagen.from_pretrained(str(model), "cpu", Options(eight_bit=True))


@pytest.mark.skipif(not HAS_EIGHT_BITS, reason="needs bitsandbytes")
def test_eight_bits_say_nearly_what_the_whole_t5_says(model: Path) -> None:
    whole, small = (Imagen.from_pretrained(str(model), "cpu", Options(eight_bit=small)) for small in (False, True))
    states = [imagen.cascade.text_encoder.encode("a red apple on a table").states for imagen in (whole, small)]
    formats = {weight.dtype for weight in small.cascade.text_encoder.model.parameters()}
    assert torch.int8 in formats
    error = (states[1] - states[0]).norm() / states[0].norm()
    assert 0 < error < 0.02  # rounding to 255 steps of each row's largest weight
    recipe = small.recipe("a red apple", seed=3).updated({"last_stage": "base", "base": {"num_steps": 3}})
    assert small.generate(recipe)[0].size == (64, 64)
