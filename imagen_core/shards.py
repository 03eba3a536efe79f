"""Weights as files: safetensors in shards below 10 MB, and the manifest with the SHA-256 of every file of a folder.

A file is compared with the manifest before it is parsed, and weights are safetensors only: opening a model folder
never runs code from it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file
from torch import Tensor

from imagen_core.checkpoint_error import CheckpointError as CheckpointError

SHARD_BYTES = 9_500_000
MANIFEST = "manifest.json"


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
    paths = []
    for number, shard in enumerate(shards, start=1):
        path = folder / f"{name}-{number:05}-of-{len(shards):05}.safetensors"
        save_file(shard, temporary := folder / f".{path.name}.part", metadata={"config": json.dumps(config)})
        temporary.replace(path)
        paths.append(path)
    for old in set(folder.glob(f"{name}-*-of-*.safetensors")) - set(paths):
        old.unlink()
    return paths


def write_manifest(folder: Path, changed: Iterable[Path] | None = None) -> None:
    """Write the size and SHA-256 of every file of a model folder, or renew them for the `changed` ones alone.

    Entries of files that are gone are dropped. Several processes may do this at the same time.
    """
    with FileLock(folder / ".lock"):
        present = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
        renewed = present if changed is None or not (folder / MANIFEST).exists() else list(changed)
        files = {} if renewed is present else read_manifest(folder)
        for path in renewed:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            files[path.name] = {"bytes": path.stat().st_size, "sha256": digest}
        names = {path.name for path in present} - {MANIFEST}
        text = json.dumps(
            {"format": 1, "files": {name: files[name] for name in sorted(names & files.keys())}}, indent=1
        )
        temporary = folder / f".{MANIFEST}.part"
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(folder / MANIFEST)


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
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
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
        except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise CheckpointError(f"{folder / file} is not a shard of this project ({error}).") from error
        for key, tensor in tensors.items():
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                raise CheckpointError(
                    f"{folder / file} holds values in {key} that are not finite; the model is unusable."
                )
            base, at, start = key.partition("@")
            if at and not start.isdecimal():
                raise CheckpointError(f"{folder / file} is not a shard of this project (a tensor is called {key}).")
            if at:
                parts.setdefault(base, []).append((int(start), tensor))
            else:
                whole[key] = tensor
    for key, pieces in parts.items():
        try:
            whole[key] = torch.cat([piece for _, piece in sorted(pieces, key=lambda part: part[0])])
        except RuntimeError as error:
            raise CheckpointError(f"{folder}: the pieces of {key} do not fit together ({error}).") from error
    return whole, config
