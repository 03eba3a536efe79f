"""Model folders: what a damaged one says, and that nothing but safetensors is ever read from it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from imagen_core import shards
from imagen_core.checkpoints import bundled_folder, dequantise, load
from imagen_core.imagen import Imagen
from imagen_core.model_names import allowed_names
from imagen_core.shards import CheckpointError, load_shards, read_manifest, save_shards, write_manifest
from tests.conftest import TINY_T5, TINY_UNETS, tiny_text_encoder, tiny_unet

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def whole_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny cascade of conftest as a model folder."""
    folder = tmp_path_factory.mktemp("model")
    shutil.copy(bundled_folder() / "tokenizer.json", folder)
    model = tiny_text_encoder()._model
    weights = {key: value for key, value in model.state_dict().items() if key != "encoder.embed_tokens.weight"}
    save_shards(weights, folder, "text_encoder", {"vocab_size": 32128, **TINY_T5})
    alphas_cumprod = torch.linspace(0.999, 0.001, 1000, dtype=torch.float64)
    for name, size in {"base": 64, "sr256": 256, "sr1024": 1024}.items():
        config = {"size": size, "prediction": "x_0", "noise_schedule": "test", "unet": TINY_UNETS[name].to_dict()}
        save_shards({**tiny_unet(name).state_dict(), "alphas_cumprod": alphas_cumprod}, folder, name, config)
    write_manifest(folder)
    return folder


@pytest.fixture
def folder(whole_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole_folder, tmp_path / "model"))


def refusal(folder: Path) -> str:
    with pytest.raises(CheckpointError) as raised:
        load(folder, CPU)
    assert "\n" not in str(raised.value)
    return str(raised.value).replace(f"{folder}{os.sep}", "").replace(str(folder), "FOLDER")


def test_a_folder_given_by_the_user_loads_and_draws(folder: Path) -> None:
    imagen = Imagen.from_pretrained(str(folder))
    recipe = imagen.recipe("a red apple").updated({"last_stage": "sr256", "base": {"num_steps": 2}})
    assert imagen.generate(recipe)[0].size == (256, 256)
    saved = tiny_unet("base").state_dict()
    loaded = imagen.cascade.stages["base"].unet.state_dict()
    assert all(torch.equal(saved[key], loaded[key]) for key in saved)


def test_neither_folder_nor_preset() -> None:
    with pytest.raises(CheckpointError) as raised:
        Imagen.from_pretrained("dall-e")
    assert str(raised.value) == f"'dall-e' is neither a model folder nor one of: {allowed_names()}."


def test_no_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    assert refusal(folder) == "FOLDER is not a model folder: it has no manifest.json."


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", '{"format": 2, "files": {}}', '{"format": 1, "files": {"a": 3}}'),
        pytest.param("[" * 100_000, id="nested"),
    ],
)
def test_broken_manifest(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
    message = refusal(folder)
    assert message.startswith("manifest.json is damaged (")
    assert message.endswith("); restore it from where the model came from.")


BASE = "base-00001-of-00001.safetensors"


def test_missing_file(folder: Path) -> None:
    (folder / BASE).unlink()
    assert refusal(folder) == (
        f"{BASE} cannot be read (No such file or directory); restore it from where the model came from."
    )


def test_truncated_file(folder: Path) -> None:
    data = (folder / BASE).read_bytes()
    (folder / BASE).write_bytes(data[:-100])
    assert refusal(folder) == (
        f"{BASE} has {len(data) - 100} bytes, not {len(data)}; restore it from where the model came from."
    )


def test_one_flipped_bit(folder: Path) -> None:
    data = bytearray((folder / BASE).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / BASE).write_bytes(data)
    assert refusal(folder) == (
        f"{BASE} is damaged: its SHA-256 differs from the manifest; restore it from where the model came from."
    )


def test_a_shard_that_the_manifest_does_not_name(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"][BASE]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert refusal(folder) == "FOLDER does not hold all shards of base; restore it from where the model came from."


def test_a_value_that_is_not_finite(folder: Path) -> None:
    tensors = load_file(folder / BASE)
    tensors["head.weight"][0, 0, 0, 0] = torch.nan
    config = shards.load_shards(folder, "base", read_manifest(folder))[1]
    save_shards(tensors, folder, "base", config)
    write_manifest(folder)
    assert refusal(folder) == f"{BASE} holds values in head.weight that are not finite; the model is unusable."


def test_a_pickle_is_not_opened(folder: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
            return (os.mkdir, (str(tmp_path / "opened"),))

    torch.save({"head.weight": Bomb()}, folder / BASE)
    write_manifest(folder)
    assert refusal(folder).startswith(f"{BASE} is not a shard of this project (")
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("unet", {"patch": 4}, "the U-Net's configuration is incomplete"),
        ("unet", {**TINY_UNETS["base"].to_dict(), "depth": 3}, "the U-Net's configuration has unknown keys: depth."),
        ("prediction", "score", "it predicts 'score' at 64 pixels."),
        ("size", 128, "it predicts 'x_0' at 128 pixels."),
        ("unet", TINY_UNETS["sr256"].to_dict(), "Error(s) in loading state_dict for UNet"),
    ],
)
def test_a_configuration_that_does_not_fit(folder: Path, key: str, value: object, reason: str) -> None:
    tensors, config = load_shards(folder, "base", read_manifest(folder))
    save_shards(tensors, folder, "base", {**config, key: value})
    write_manifest(folder)
    message = refusal(folder)
    assert message.startswith("FOLDER holds no base stage that this program knows: ")
    assert reason in message


@pytest.mark.parametrize(
    ("name", "content"), [("tokenizer.json", b"{}"), ("tokenizer.json", b"\xff"), ("text_encoder", b"")]
)
def test_a_text_encoder_that_is_none(folder: Path, name: str, content: bytes) -> None:
    if name == "tokenizer.json":
        (folder / name).write_bytes(content)
    else:
        save_shards({"norm": torch.ones(3)}, folder, name, {"vocab_size": 5})
    write_manifest(folder)
    assert refusal(folder).startswith("FOLDER holds no text encoder that this program knows: ")


def test_two_writers_of_a_manifest_keep_each_other_s_entries(tmp_path: Path) -> None:
    first = save_shards({"a": torch.zeros(2)}, tmp_path, "first", {})
    write_manifest(tmp_path, first)
    second = save_shards({"b": torch.zeros(2)}, tmp_path, "second", {})
    changed = tmp_path / first[0].name
    changed.write_bytes(changed.read_bytes() + b" ")  # by the first writer, who has not told it yet
    write_manifest(tmp_path, second)
    assert load_shards(tmp_path, "second", read_manifest(tmp_path))[0].keys() == {"b"}
    with pytest.raises(CheckpointError, match="bytes, not"):
        load_shards(tmp_path, "first", read_manifest(tmp_path))


def test_shards_stay_below_their_size_and_come_back_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 10_000)
    torch.manual_seed(0)
    tensors = {
        "large": torch.randn(100, 70),  # 28,000 bytes: cut along its rows
        "small": torch.randn(10),
        "medium": torch.randint(-128, 127, (90, 80), dtype=torch.int8),
        "scale": torch.tensor(0.5),
        "half": torch.randn(40, 50).half(),
    }
    paths = save_shards(tensors, tmp_path, "part", {"a": 1})
    write_manifest(tmp_path)
    assert len(paths) > 3
    assert all(sum(value.nbytes for value in load_file(path).values()) <= 10_000 for path in paths)
    loaded, config = load_shards(tmp_path, "part", read_manifest(tmp_path))
    assert config == {"a": 1}
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[key], tensors[key]) and loaded[key].dtype == tensors[key].dtype for key in tensors)
    # Fewer shards the next time leave none of the old ones behind.
    save_shards({"small": tensors["small"]}, tmp_path, "part", {})
    write_manifest(tmp_path)
    assert load_shards(tmp_path, "part", read_manifest(tmp_path))[0].keys() == {"small"}


def test_dequantise_is_the_affine_map() -> None:
    tensors = {
        "w": torch.tensor([[0, 128, 255]], dtype=torch.uint8),
        "w.scale": torch.tensor(0.5),
        "w.zero_point": torch.tensor(128, dtype=torch.uint8),
        "norm": torch.tensor([2.0]),
    }
    weights = dequantise(tensors)
    assert weights["w"].tolist() == [[-64.0, 0.0, 63.5]]
    assert weights.keys() == {"w", "norm"}


def test_a_foreign_safetensors_file(folder: Path) -> None:
    save_file({"x": torch.zeros(1)}, folder / BASE)
    write_manifest(folder)
    assert refusal(folder).startswith(f"{BASE} is not a shard of this project (")


def test_the_bundled_weights_keep_their_sizes() -> None:
    files = {path: path.stat().st_size for path in bundled_folder().iterdir() if path.name[0] != "."}
    assert max(files.values()) < 10_000_000
    assert sum(files.values()) < 100_000_000
    manifest = read_manifest(bundled_folder())
    assert manifest.keys() == {path.name for path in files} - {"manifest.json"}
