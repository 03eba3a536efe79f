"""Model folders as diffusers writes them: which files hold a network, and one sentence for what is wrong with them.

Weights are safetensors only, and nothing in a folder is ever run as code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from imagen_core.shards import CheckpointError

_PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")


@dataclass(frozen=True)
class Component:
    """A network's folder inside a stage's folder, and the name that its weights begin with."""

    folder: str
    stem: str


UNET = Component("unet", "diffusion_pytorch_model")
TEXT_ENCODER = Component("text_encoder", "model")
SAFETY_CHECKER = Component("safety_checker", "model")
WATERMARKER = Component("watermarker", "diffusion_pytorch_model")
DECODER = Component("vae", "diffusion_pytorch_model")


def weight_names(names: Iterable[str], component: Component, half: bool) -> tuple[str | None, tuple[str, ...]]:
    """Of a stage's files ("unet/config.json" ...), those of a component's weights that are to be read.

    The first value is their variant: "fp16" for weights in half precision, None for plain ones. Where both are there,
    `half` decides.

    Raises:
        CheckpointError: there are no weights, or only a pickle, which could run code.
    """
    names = sorted(names)
    kinds: dict[str | None, tuple[str, ...]] = {}
    for kind, infix in ((None, ""), ("fp16", ".fp16")):
        stem = re.escape(f"{component.folder}/{component.stem}{infix}")
        index = f"{component.folder}/{component.stem}.safetensors.index{infix}.json"
        weights = [name for name in names if re.fullmatch(rf"{stem}(-\d+-of-\d+)?\.safetensors", name)]
        whole = [name for name in weights if "-of-" not in name]
        if whole or (weights and index in names):
            kinds[kind] = tuple(whole) or (*weights, index)
    if not kinds:
        pickles = [name for name in names if name.startswith(f"{component.folder}/") and name.endswith(_PICKLES)]
        if pickles:
            raise CheckpointError(
                f"{pickles[0]} is a pickle, which can run code: save the weights as safetensors and load those."
            )
        raise CheckpointError(f"There are no weights of {component.folder}: {component.stem}.safetensors is missing.")
    chosen = ("fp16" if half else None) if len(kinds) == 2 else next(iter(kinds))
    return chosen, kinds[chosen]


def weight_files(folder: Path, component: Component, dtype: torch.dtype) -> tuple[str | None, tuple[Path, ...]]:
    """The variant and the safetensors files of a component in a stage's folder; raises as `weight_names`."""
    names = [f"{component.folder}/{path.name}" for path in (folder / component.folder).glob("*")]
    try:
        kind, chosen = weight_names(names, component, torch.finfo(dtype).bits == 16)
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {error}") from None
    index = [name for name in chosen if name.endswith(".json")]
    if index:
        with told(folder, component.folder):
            listed = sorted(set(read_json(folder / index[0])["weight_map"].values()))
            if not all(Path(name).name == name for name in listed):
                raise ValueError(f"{index[0]} names files of another folder.")
        missing = [name for name in listed if not (folder / component.folder / name).is_file()]
        if missing:
            raise CheckpointError(f"{folder}: {component.folder}/{missing[0]} is missing: fetch it again.")
    return kind, tuple(folder / name for name in chosen if name not in index)


def read_json(path: Path) -> Mapping[str, Any]:
    """The object in a JSON file. Raises ValueError where it holds none, OSError where it cannot be read."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply.") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path.name} is no JSON object.")
    return values


@contextmanager
def told(folder: Path, what: str) -> Iterator[None]:
    """Turn what the libraries say of a damaged folder, in which `what` is looked for, into one sentence."""
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        raise CheckpointError(f"{folder} holds no {what} that this program knows: {first}") from error
