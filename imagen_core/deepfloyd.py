"""DeepFloyd IF as a model: which folders it needs, how much memory, and the cascade that comes of them.

A model is a folder for each stage. Behind stage II comes the x4 upscaler, where the model has its folder, else the
bundled stage III with the bundled text encoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from imagen_core.captions import cleaned_caption, missing_for_cleaning, plain_caption
from imagen_core.cascade import Cascade
from imagen_core.checkpoints import bundled_folder
from imagen_core.checkpoints import load as load_bundled
from imagen_core.deepfloyd_checkpoints import Loading, holds, load_stage, load_text_encoder, needs_checker
from imagen_core.deepfloyd_files import is_whole, wanted_files
from imagen_core.deepfloyd_options import Options as Options
from imagen_core.deepfloyd_safety import load_checker, load_refusal, load_watermark
from imagen_core.memory_plan import MemoryPlan, Part, free_bytes, num_weights
from imagen_core.model_folder import SAFETY_CHECKER, TEXT_ENCODER, UNET, WATERMARKER, Component, weight_files
from imagen_core.model_names import ModelName
from imagen_core.models.deepfloyd import memory_format
from imagen_core.models.precision import has_matrix_units
from imagen_core.offloading import Turns
from imagen_core.presets import CHECKER
from imagen_core.recipe import SIZES
from imagen_core.shards import CheckpointError
from imagen_core.stage import Stage, is_out_of_memory
from imagen_core.upscaler_checkpoint import NETWORKS as UPSCALER_NETWORKS
from imagen_core.upscaler_checkpoint import load_upscaler

# The layers of T5 that transformers keeps in float32 where the rest is in float16, 8 bits or not, because what they
# compute leaves the range of float16; and how many numbers they hold in T5-XXL: 24 layers of 10,240 by 4,096.
_WIDE = ".wo.weight"
_PUBLISHED_WIDE = 24 * 10_240 * 4_096
# What 8 bits are for: all other linear layers. Embeddings and norms stay as they are.
_SMALL = tuple(f".{name}.weight" for name in ("q", "k", "v", "o", "wi_0", "wi_1"))
_PUBLISHED_SMALL = 24 * (4 * 4_096 * 4_096 + 2 * 10_240 * 4_096)


def number_format(device: torch.device) -> torch.dtype:
    """float16, which the published weights were made for, on CUDA; on a processor float32, or bfloat16 with units."""
    if device.type != "cpu":
        return torch.float16
    return torch.bfloat16 if has_matrix_units() else torch.float32


def folders(model: ModelName, device: torch.device, options: Options) -> dict[str, Path]:
    """The folder of each stage: of a model folder, from the cache, or fetched.

    Raises:
        CheckpointError: a file is missing, or cannot be fetched; within 3 seconds where there is no network.
    """
    found = _present(model, device, options)
    for stage, repository in model.repositories:
        if stage not in found:
            choose = partial(wanted_files, stage=stage, dtype=number_format(device))
            found[stage] = options.hub.fetch(repository, options.revisions.get(repository), choose)
    return found


def _present(model: ModelName, device: torch.device, options: Options) -> dict[str, Path]:
    """The folders of the stages that need not be fetched."""
    found = dict(model.folders)
    for stage, repository in model.repositories:
        cached = options.hub.cached(repository, options.revisions.get(repository))
        if cached is not None and is_whole(cached, stage, number_format(device)):
            found[stage] = cached
    return found


def expected_memory(model: ModelName, device: torch.device, options: Options) -> MemoryPlan | None:
    """The memory that a model will take; where its files are not all here, from the published numbers of a preset.

    None where nobody has told them.

    Raises:
        CheckpointError: a file is missing from a model folder, or damaged.
    """
    present = _present(model, device, options)
    if len(present) >= len(model.repositories):
        return memory_plan(present, device, options)
    if model.preset is None:
        return None
    return _plan(model.preset.parameters, (_PUBLISHED_WIDE, _PUBLISHED_SMALL), device, options)


def memory_plan(folders: Mapping[str, Path], device: torch.device, options: Options) -> MemoryPlan:
    """The memory that a model takes, from the headers of its files; nothing is loaded.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    dtype = number_format(device)
    networks: list[tuple[str, str, Component]] = [("T5", "base", TEXT_ENCODER)]
    networks += [(stage, stage, UNET) for stage in folders if stage != "sr1024"]
    networks += [(name, "sr1024", network) for name, network in UPSCALER_NETWORKS.items() if "sr1024" in folders]
    files = {name: weight_files(folders[stage], network, dtype)[1] for name, stage, network in networks}
    if needs_checker(folders["base"]):
        files[CHECKER] = weight_files(folders["base"], SAFETY_CHECKER, torch.float32)[1]
    numbers = {name: num_weights(paths) for name, paths in files.items()}
    layers = num_weights(files["T5"], (_WIDE,)), num_weights(files["T5"], _SMALL)
    return replace(_plan(numbers, layers, device, options), published=False)


def _plan(numbers: Mapping[str, int], layers: tuple[int, int], device: torch.device, options: Options) -> MemoryPlan:
    """From how many numbers every network has; `layers`, how many of T5's are in those called `_WIDE` and `_SMALL`."""
    dtype = number_format(device)
    wide, small = layers
    parts = []
    for name, number in numbers.items():
        if name == CHECKER and device.type != "cpu":
            continue  # it is on the processor whatever the device, so it takes none of that one's memory
        is_small = name == "T5" and options.eight_bit
        own = torch.float32 if name in ("decoder", CHECKER) else dtype
        nbytes = number * own.itemsize
        if name == "T5" and dtype == torch.float16:
            nbytes += wide * (4 - own.itemsize)
        if is_small:
            nbytes -= small * (own.itemsize - 1)
        told = "8 bits" if is_small else str(own).removeprefix("torch.")
        parts.append(Part(name, nbytes, told, stays=is_small))
    return MemoryPlan(str(device), tuple(parts), free_bytes(device), published=True)


def load(folders: Mapping[str, Path], plan: MemoryPlan, device: torch.device, options: Options) -> Cascade:
    """The cascade of a model.

    Raises:
        CheckpointError: a file is missing or damaged, a package is missing, or the safety checker cannot be loaded.
    """
    loading = Loading(number_format(device), options.eight_bit, _caption(options))
    text_encoder = load_text_encoder(folders["base"], loading)
    stages = {
        name: load_stage(folder, name, text_encoder, loading) for name, folder in folders.items() if name != "sr1024"
    }
    for stage in stages.values():
        if stage.size != SIZES[stage.name]:
            raise CheckpointError(
                f"{folders[stage.name]} draws {stage.size} pixels where {stage.name} has {SIZES[stage.name]}."
            )
    networks: list[Any] = [] if options.eight_bit else [text_encoder.model]
    networks += [stage.unet for stage in stages.values()]
    if "sr1024" in folders:
        stages["sr1024"], upscaler = load_upscaler(folders["sr1024"], loading.dtype)
        networks += upscaler
    try:
        _place(networks, plan, device)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise CheckpointError(
            f"The model does not fit into the memory of {device}: close what else uses it."
        ) from error
    if "sr256" in stages and "sr1024" not in stages:
        bundled = load_bundled(bundled_folder(), device)
        stages["sr1024"] = bundled.stages["sr1024"]
    return Cascade(_guarded(stages, folders), device)


def _caption(options: Options) -> Any:
    missing = missing_for_cleaning()
    if options.clean_caption and missing:
        raise CheckpointError(f"Cleaning captions needs packages: pip install {' '.join(missing)}, or turn it off.")
    return cleaned_caption if options.clean_caption else plain_caption


def _place(networks: Sequence[torch.nn.Module], plan: MemoryPlan, device: torch.device) -> None:
    turns = Turns(device)
    for network in networks:
        network.to(memory_format=memory_format(device))  # type: ignore[call-overload]
        if plan.takes_turns:
            turns.add(network)
        else:
            network.to(device)


def _guarded(stages: Mapping[str, Stage], folders: Mapping[str, Path]) -> dict[str, Stage]:
    """The stages with safety checker and watermark, where the folders have them or say that they must be there."""
    refused = marked = None
    if needs_checker(folders["base"]):
        kind, _ = weight_files(folders["base"], SAFETY_CHECKER, torch.float32)
        refused = load_refusal(folders["base"], load_checker(folders["base"], kind))
    last = folders.get("sr256", folders["base"])
    if holds(last, WATERMARKER):
        kind, _ = weight_files(last, WATERMARKER, torch.float32)
        marked = load_watermark(last, kind)
    return {name: replace(stage, refused=refused, marked=marked) for name, stage in stages.items()}
