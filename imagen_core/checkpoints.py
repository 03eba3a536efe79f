"""Model folders: from files to a cascade. The only file that knows what a model folder holds.

manifest.json                              size and SHA-256 of every other file
tokenizer.json, text_encoder-*.safetensors the frozen T5, int8 with scales
base-*.safetensors, sr256-*, sr1024-*      one set of shards per stage, configuration in the header
vocabulary.json                            what it was trained to draw, in words; may be missing
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from imagen_core.captions import plain_caption
from imagen_core.cascade import Cascade
from imagen_core.denoiser import PREDICTIONS
from imagen_core.models.precision import FORMATS, working_format
from imagen_core.models.unet import UNet
from imagen_core.models.unet_config import UNetConfig
from imagen_core.noise_schedule import NoiseSchedule
from imagen_core.recipe import SIZES, STAGES
from imagen_core.shards import CheckpointError, load_shards, read_file, read_manifest
from imagen_core.stage import Stage
from imagen_core.text_encoder import TextEncoder
from imagen_core.vocabulary import Vocabulary

__all__ = ("CheckpointError", "bundled_folder", "load", "load_vocabulary")

VOCABULARY = "vocabulary.json"


def bundled_folder() -> Path:
    """The weights that come with the project."""
    return Path(__file__).resolve().parent.parent / "assets" / "bundled"


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
    """The frozen T5 of a model folder, de-quantised to float32. It reads prompts in lower case, as its captions were.

    Raises:
        CheckpointError: a file is missing or damaged, or its tensors are not those of the configuration.
    """
    from transformers import T5Config, T5EncoderModel

    tensors, config = load_shards(folder, "text_encoder", manifest)
    text = read_file(folder, "tokenizer.json", manifest)
    try:
        weights = dequantise(tensors)
        weights["encoder.embed_tokens.weight"] = weights["shared.weight"]  # T5 holds this one tensor under two names
        with torch.device("meta"):
            model = T5EncoderModel(T5Config(**config))
        model.load_state_dict(weights, assign=True)
        return TextEncoder(model, Tokenizer.from_str(text.decode()), caption=plain_caption)
    except Exception as error:  # tokenizers raises Exception itself
        raise CheckpointError(
            f"{folder} holds no text encoder that this program knows: {_first_line(error)}"
        ) from error


def load_vocabulary(folder: Path) -> Vocabulary | None:
    """What the model of a folder was trained to draw, where the folder says it.

    Raises:
        CheckpointError: the file, or the folder's manifest, is damaged.
    """
    manifest = read_manifest(folder)
    if VOCABULARY not in manifest:
        return None
    try:
        return Vocabulary.from_json(read_file(folder, VOCABULARY, manifest).decode())
    except ValueError as error:
        raise CheckpointError(f"{folder / VOCABULARY} is no vocabulary of this program: {error}.") from error


def load_stage(folder: Path, name: str, manifest: Mapping[str, Mapping[str, Any]], text_encoder: TextEncoder) -> Stage:
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
        if config["prediction"] not in PREDICTIONS or config["size"] != SIZES[name]:
            raise ValueError(f"it predicts {config['prediction']!r} at {config['size']!r} pixels.")
        if unet.config.low_res != (name != "base"):
            raise ValueError("a super-resolution stage takes a low-resolution image, and base takes none.")
        unet.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return Stage(name, config["size"], unet, noise_schedule, config["prediction"], text_encoder)
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"{folder} holds no {name} stage that this program knows: {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    """Of tensors that do not fit, torch writes a line for each."""
    return str(error).partition("\n")[0]


def load(folder: Path, device: torch.device, dtype: torch.dtype | None = None) -> Cascade:
    """The cascade of a model folder.

    dtype: the number format of the U-Nets, one of `precision.FORMATS`; by default what `working_format` finds.

    Raises:
        CheckpointError: the folder is none, or a file of it is missing or damaged; or there is no such number format.
    """
    if dtype is not None and dtype not in FORMATS:
        raise CheckpointError(f"dtype must be {' or '.join(map(str, FORMATS))}, not {dtype}.")
    manifest = read_manifest(folder)
    text_encoder = load_text_encoder(folder, manifest)
    stages = {name: load_stage(folder, name, manifest, text_encoder) for name in STAGES}
    unets = {name: stage.unet for name, stage in stages.items() if isinstance(stage.unet, UNet)}
    chosen = dtype or working_format(unets["base"], stages["base"].size, device)
    for unet in unets.values():
        unet.to(device, chosen)
    return Cascade(stages, device)
