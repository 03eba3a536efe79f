"""Which files a stage needs of its repository: what to fetch, and whether a folder in the cache has all of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from imagen_core.deepfloyd_checkpoints import (
    SAFETY_CHECKER,
    TEXT_ENCODER,
    UNET,
    WATERMARKER,
    weight_files,
    weight_names,
)
from imagen_core.model_names import INDEX
from imagen_core.shards import CheckpointError

_NETWORKS = {"base": (UNET, TEXT_ENCODER, SAFETY_CHECKER), "sr256": (UNET, WATERMARKER)}
_FILES = {
    "base": ("scheduler", "tokenizer", "text_encoder", "unet", "safety_checker", "feature_extractor"),
    "sr256": ("scheduler", "image_noising_scheduler", "unet", "watermarker"),
}
# Of the small files those without which a folder in the cache is not whole; a tokenizer is one of two.
_NEEDED = {
    "base": (
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "unet/config.json",
        "safety_checker/config.json",
        "feature_extractor/preprocessor_config.json",
    ),
    "sr256": (
        "scheduler/scheduler_config.json",
        "image_noising_scheduler/scheduler_config.json",
        "unet/config.json",
        "watermarker/config.json",
    ),
}
_TOKENIZERS = ("tokenizer/tokenizer.json", "tokenizer/spiece.model")
_SMALL = (".json", ".model", ".txt")  # what a folder holds beside weights


def is_whole(folder: Path, stage: str, dtype: torch.dtype) -> bool:
    """Whether a folder in the cache has all that the stage needs: a fetch may have broken off anywhere."""
    if not all((folder / name).is_file() for name in _NEEDED[stage]):
        return False
    if stage == "base" and not any((folder / name).is_file() for name in _TOKENIZERS):
        return False
    try:
        for network in _NETWORKS[stage]:
            weight_files(folder, network, dtype)
    except CheckpointError:
        return False
    return True


def wanted_files(names: Iterable[str], stage: str, dtype: torch.dtype) -> tuple[str, ...]:
    """Of a repository's files those that a stage needs: one variant of each network, and what is small."""
    names, half = sorted(names), torch.finfo(dtype).bits == 16
    weights = [name for network in _NETWORKS[stage] for name in weight_names(names, network, half)[1]]
    small = [
        name
        for name in names
        if name == INDEX or (name.partition("/")[0] in _FILES[stage] and name.endswith(_SMALL) and "index" not in name)
    ]
    return tuple(dict.fromkeys([*small, *weights]))
