"""Which files a stage needs of its repository: what to fetch, and whether a folder in the cache has all of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from imagen_core.deepfloyd_checkpoints import holds, needs_checker
from imagen_core.model_folder import (
    DECODER,
    SAFETY_CHECKER,
    TEXT_ENCODER,
    UNET,
    WATERMARKER,
    weight_files,
    weight_names,
)
from imagen_core.model_names import INDEX
from imagen_core.shards import CheckpointError

_NETWORKS = {"base": (UNET, TEXT_ENCODER), "sr256": (UNET,), "sr1024": (UNET, TEXT_ENCODER, DECODER)}
_OPTIONAL = {"base": (SAFETY_CHECKER, WATERMARKER), "sr256": (WATERMARKER,), "sr1024": ()}
_FILES = {
    "base": ("scheduler", "tokenizer", "text_encoder", "unet", "safety_checker", "feature_extractor", "watermarker"),
    "sr256": ("scheduler", "image_noising_scheduler", "unet", "watermarker"),
    "sr1024": ("scheduler", "low_res_scheduler", "tokenizer", "text_encoder", "unet", "vae"),
}
# Of the small files those without which a folder in the cache is not whole; a tokenizer is one of two.
_NEEDED = {
    "base": (
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "unet/config.json",
    ),
    "sr256": (
        "scheduler/scheduler_config.json",
        "image_noising_scheduler/scheduler_config.json",
        "unet/config.json",
    ),
    "sr1024": (
        "scheduler/scheduler_config.json",
        "low_res_scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "unet/config.json",
        "vae/config.json",
    ),
}
_NEEDED_WITH = {
    SAFETY_CHECKER: ("safety_checker/config.json", "feature_extractor/preprocessor_config.json"),
    WATERMARKER: ("watermarker/config.json",),
}
_TOKENIZERS = {  # one of these
    "base": ("tokenizer/tokenizer.json", "tokenizer/spiece.model"),
    "sr1024": ("tokenizer/tokenizer.json", "tokenizer/vocab.json"),
}
_SMALL = (".json", ".model", ".txt")  # what a folder holds beside weights


def is_whole(folder: Path, stage: str, dtype: torch.dtype) -> bool:
    """Whether a folder in the cache has all that the stage needs: a fetch may have broken off anywhere."""
    try:
        optional = [
            network
            for network in _OPTIONAL[stage]
            if (needs_checker(folder) if network is SAFETY_CHECKER else holds(folder, network))
        ]
        for network in (*_NETWORKS[stage], *optional):
            weight_files(folder, network, dtype)
    except CheckpointError:
        return False
    needed = [*_NEEDED[stage], *(name for network in optional for name in _NEEDED_WITH[network])]
    if stage in _TOKENIZERS and not any((folder / name).is_file() for name in _TOKENIZERS[stage]):
        return False
    return all((folder / name).is_file() for name in needed)


def wanted_files(names: Iterable[str], stage: str, dtype: torch.dtype) -> tuple[str, ...]:
    """Of a repository's files those that a stage needs: one variant of each network, and what is small.

    Safety checker and watermark where the repository has them; whether it may lack them its index says when it is
    loaded.

    Raises:
        CheckpointError: weights of a network are missing, or a pickle.
    """
    names, half = sorted(names), torch.finfo(dtype).bits == 16
    optional = [network for network in _OPTIONAL[stage] if any(name.startswith(f"{network.folder}/") for name in names)]
    weights = [name for network in (*_NETWORKS[stage], *optional) for name in weight_names(names, network, half)[1]]
    small = [
        name
        for name in names
        if name == INDEX or (name.partition("/")[0] in _FILES[stage] and name.endswith(_SMALL) and "index" not in name)
    ]
    return tuple(dict.fromkeys([*small, *weights]))
