"""Model folders: weights in shards below 10 MB with a SHA-256 manifest. The only file that knows file names.

A model folder holds::

    manifest.json                              size and SHA-256 of every other file
    tokenizer.json, text_encoder-*.safetensors T5, int8 with scales
    base-*.safetensors ...                     one set of shards per stage, configuration in the header

A file is compared with the manifest before it is parsed, and weights are safetensors only: opening a model folder
never runs code from it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from imagen_core.cascade import Cascade, Stage
from imagen_core.models.unet import UNet, UNetConfig
from imagen_core.recipe import STAGES
from imagen_core.schedulers import NoiseSchedule
from imagen_core.text_encoder import TextEncoder

SHARD_BYTES = 9_500_000
MANIFEST = "manifest.json"
T5_CONFIG: dict[str, Any] = {
    "vocab_size": 32128,
    "d_model": 512,
    "d_kv": 64,
    "d_ff": 1024,
    "num_layers": 8,
    "num_heads": 6,
    "feed_forward_proj": "gated-gelu",
}


class CheckpointError(RuntimeError):
    """A model cannot be loaded; the message says which file, why, and what to do."""


def bundled_folder() -> Path:
    """The weights that come with the project."""
    return Path(__file__).resolve().parent.parent / "assets" / "bundled"


# Writing


def save_shards(tensors: Mapping[str, Tensor], folder: Path, name: str, config: Mapping[str, Any]) -> list[Path]:
    """Write `tensors` as NAME-00001-of-0000N.safetensors, each below 10 MB, and remove older shards of that name.

    A tensor larger than a shard is cut along its first dimension; the header of every shard carries `config` as JSON.
    """
    shards: list[dict[str, Tensor]] = [{}]
    room = SHARD_BYTES
    for key, whole in tensors.items():
        tensor = whole.detach().cpu().contiguous()
        row_bytes = max(1, tensor.numel() * tensor.element_size() // (tensor.shape[0] if tensor.dim() else 1))
        start, rows = 0, tensor.shape[0] if tensor.dim() else 1
        while start < rows:
            fitting = min(rows - start, room // row_bytes)
            if fitting == rows:  # whole
                shards[-1][key] = tensor
            elif fitting > 0 and rows * row_bytes > SHARD_BYTES:  # too large for any shard: a part of its rows
                shards[-1][f"{key}@{start}"] = tensor[start : start + fitting].clone()
            else:
                shards.append({})
                room = SHARD_BYTES
                continue
            start += fitting
            room -= fitting * row_bytes
    for old in folder.glob(f"{name}-*-of-*.safetensors"):
        old.unlink()
    paths = []
    for number, shard in enumerate(shards, start=1):
        path = folder / f"{name}-{number:05}-of-{len(shards):05}.safetensors"
        save_file(shard, path, metadata={"config": json.dumps(config)})
        paths.append(path)
    return paths


def write_manifest(folder: Path) -> None:
    """Write the size and SHA-256 of every file of a model folder."""
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != MANIFEST and not path.name.startswith(".")
    }
    (folder / MANIFEST).write_text(json.dumps({"format": 1, "files": files}, indent=1) + "\n", encoding="utf-8")


# Reading


def read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """The files of a model folder, by name.

    Raises:
        CheckpointError: there is no such folder, or its manifest is missing or broken.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise CheckpointError(f"{folder} is not a model folder: it has no {MANIFEST}.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        files = content["files"]
        if content["format"] != 1 or not all(
            isinstance(entry["bytes"], int) and isinstance(entry["sha256"], str) for entry in files.values()
        ):
            raise ValueError("unknown format")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); restore it from where the model came from.") from error
    return dict(files)


def read_file(folder: Path, name: str, manifest: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The bytes of a file, after comparison with the manifest.

    Raises:
        CheckpointError: the file is missing, truncated, or another one than the manifest says.
    """
    remedy = "restore it from where the model came from"
    if name not in manifest:
        raise CheckpointError(f"{folder / MANIFEST} does not name {name}; {remedy}.")
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{folder / name} cannot be read ({error.strerror}); {remedy}.") from error
    if len(data) != manifest[name]["bytes"]:
        raise CheckpointError(f"{folder / name} has {len(data)} bytes, not {manifest[name]['bytes']}; {remedy}.")
    if hashlib.sha256(data).hexdigest() != manifest[name]["sha256"]:
        raise CheckpointError(f"{folder / name} is damaged: its SHA-256 differs from the manifest; {remedy}.")
    return data


def load_shards(
    folder: Path, name: str, manifest: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and configuration of the shards NAME-*; every tensor is checked to be finite.

    Raises:
        CheckpointError: a shard is missing, damaged, or holds a value that is not finite.
    """
    names = sorted(file for file in manifest if file.startswith(f"{name}-") and file.endswith(".safetensors"))
    if not names or not names[0].endswith(f"-of-{len(names):05}.safetensors"):
        raise CheckpointError(
            f"{folder} does not hold all shards of {name}; restore it from where the model came from."
        )
    whole: dict[str, Tensor] = {}
    parts: dict[str, list[tuple[int, Tensor]]] = {}
    config: dict[str, Any] = {}
    for file in names:
        data = read_file(folder, file, manifest)
        try:
            header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
            config = json.loads(header["__metadata__"]["config"])
            tensors = load_tensors(data)
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{folder / file} is not a shard of this project ({error}).") from error
        for key, tensor in tensors.items():
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                raise CheckpointError(
                    f"{folder / file} holds values in {key} that are not finite; the model is unusable."
                )
            base, at, start = key.partition("@")
            if at:
                parts.setdefault(base, []).append((int(start), tensor))
            else:
                whole[key] = tensor
    for key, pieces in parts.items():
        whole[key] = torch.cat([piece for _, piece in sorted(pieces, key=lambda part: part[0])])
    return whole, config


def dequantise(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights in float32: (q - NAME.zero_point) x NAME.scale where a scale comes with a tensor, else as it is."""
    return {
        name: (tensor.float() - tensors[f"{name}.zero_point"].float()) * tensors[f"{name}.scale"]
        if f"{name}.scale" in tensors
        else tensor.float()
        for name, tensor in tensors.items()
        if not name.endswith((".scale", ".zero_point"))
    }


def load_text_encoder(folder: Path, manifest: Mapping[str, Mapping[str, Any]]) -> TextEncoder:
    """The frozen T5 of a model folder, de-quantised to float32.

    Raises:
        CheckpointError: a file is missing or damaged, or its tensors are not those of the configuration.
    """
    from transformers import T5Config, T5EncoderModel

    tensors, config = load_shards(folder, "text_encoder", manifest)
    weights = dequantise(tensors)
    weights["encoder.embed_tokens.weight"] = weights["shared.weight"]  # T5 holds this one tensor under two names
    with torch.device("meta"):
        model = T5EncoderModel(T5Config(**config))
    try:
        model.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise CheckpointError(f"{folder} holds a text encoder of another shape: {error}") from error
    tokenizer = Tokenizer.from_str(read_file(folder, "tokenizer.json", manifest).decode())
    return TextEncoder(model, tokenizer)


def load_stage(folder: Path, name: str, manifest: Mapping[str, Mapping[str, Any]]) -> Stage:
    """One stage of a model folder: its U-Net in float32 and channels-last memory, ready to run.

    Raises:
        CheckpointError: a file is missing or damaged, or configuration and tensors do not fit.
    """
    tensors, config = load_shards(folder, name, manifest)
    try:
        alphas_cumprod = tensors.pop("alphas_cumprod")
        noise_schedule = NoiseSchedule(config["noise_schedule"], alphas_cumprod)
        with torch.device("meta"):
            unet = UNet(UNetConfig.from_dict(config["unet"]))
        unet.load_state_dict({key: value.float() for key, value in tensors.items()}, assign=True)
        unet.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return Stage(name, config["size"], unet, noise_schedule, config["prediction"])
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{folder} holds no {name} stage that this program knows: {error}") from error


def load(folder: Path, device: torch.device) -> Cascade:
    """The cascade of a model folder.

    Raises:
        CheckpointError: the folder is none, or a file of it is missing or damaged.
    """
    manifest = read_manifest(folder)
    text_encoder = load_text_encoder(folder, manifest)
    stages = {name: load_stage(folder, name, manifest) for name in STAGES}
    for stage in stages.values():
        stage.unet.to(device)
    return Cascade(text_encoder, stages, device)
