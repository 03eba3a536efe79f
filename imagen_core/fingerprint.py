"""Fingerprints of weights: short letters that are equal where two models are the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagen_core.check import digest

_WEIGHTS = (".safetensors", "tokenizer.json")  # what of a model folder has a part in a picture


def of_manifest(manifest: Mapping[str, Mapping[str, Any]]) -> str:
    """Of a model folder of ours: from the SHA-256 of its networks and its tokenizer, as its manifest tells them."""
    parts = sorted((name, entry["sha256"]) for name, entry in manifest.items() if name.endswith(_WEIGHTS))
    return digest(json.dumps(parts).encode())


def of_folders(folders: Mapping[str, Path], *others: str) -> str:
    """Of a model with a folder for each stage, and `others`, fingerprints of what is drawn with beside them.

    A folder in the Hub's cache is known by its repository and commit; of any other one the configurations and the
    names and sizes of the weights are taken, because reading ten gigabytes would take longer than loading them.
    """
    return digest(json.dumps([{stage: _folder(path) for stage, path in sorted(folders.items())}, *others]).encode())


def _folder(folder: Path) -> list[object]:
    if folder.parent.name == "snapshots":
        return [folder.parent.parent.name, folder.name]
    weights = sorted(
        (path.relative_to(folder).as_posix(), path.stat().st_size) for path in folder.rglob("*.safetensors")
    )
    configurations = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*/config.json"))]
    return [*weights, *configurations]
