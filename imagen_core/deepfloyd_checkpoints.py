"""Model folders in DeepFloyd IF's layout, as diffusers writes it: from files to the stages of a cascade.

model_index.json                           what the folder holds
unet, scheduler                            one stage; image_noising_scheduler too where it enlarges a picture
text_encoder, tokenizer                    the frozen T5, at least in the folder of the first stage
safety_checker, feature_extractor, watermarker   optional
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from imagen_core.captions import plain_caption
from imagen_core.model_folder import SAFETY_CHECKER, TEXT_ENCODER, UNET, Component, read_json, told, weight_files
from imagen_core.model_names import INDEX, SCHEDULER
from imagen_core.models.deepfloyd import MAX_TOKENS, DeepFloydUNet, load_unet, load_whole
from imagen_core.noise_conditioning import augment_then_upsample, upsample_then_noise
from imagen_core.noise_schedule import checkpoint_schedule
from imagen_core.sentencepiece_model import read_tokenizer
from imagen_core.shards import CheckpointError
from imagen_core.stage import Stage
from imagen_core.text_encoder import TextEncoder


@dataclass(frozen=True)
class Loading:
    """How to load: the number format of the weights, T5 in 8 bits or not, and what is done to a prompt first."""

    dtype: torch.dtype = torch.float32
    eight_bit: bool = False
    caption: Callable[[str], str] = plain_caption


def holds(folder: Path, component: Component) -> bool:
    """Whether a stage's folder has an optional component, or lists it in its index: then it must be there.

    Raises:
        CheckpointError: the folder's index cannot be read.
    """
    with told(folder, "model"):
        listed = read_json(folder / INDEX).get(component.folder)
        return (folder / component.folder).is_dir() or listed not in (None, [None, None])


def needs_checker(folder: Path) -> bool:
    """Whether a first stage's pictures must be checked: where the folder has a safety checker, or does not say no.

    Raises:
        CheckpointError: the folder's index cannot be read.
    """
    with told(folder, "model"):
        required = read_json(folder / INDEX).get("requires_safety_checker", True) is not False
        return required or holds(folder, SAFETY_CHECKER)


def load_text_encoder(folder: Path, loading: Loading) -> TextEncoder:
    """The frozen T5 of a folder, which reads 77 tokens, padding included.

    Raises:
        CheckpointError: a file is missing or damaged, or 8 bits are asked for where they cannot be had.
    """
    from transformers import T5EncoderModel

    kind, _ = weight_files(folder, TEXT_ENCODER, loading.dtype)
    options: dict[str, Any] = {"dtype": loading.dtype, "variant": kind}
    if loading.eight_bit:
        options["quantization_config"] = _eight_bits()
    with told(folder, "text encoder"):
        tokenizer = _read_tokenizer(folder / "tokenizer")
        model = load_whole(T5EncoderModel, folder / TEXT_ENCODER.folder, **options)
        return TextEncoder(model, tokenizer, MAX_TOKENS, padded=True, caption=loading.caption)


def _read_tokenizer(folder: Path) -> Tokenizer:
    """From tokenizer.json where it is there, else from spiece.model, which is all that IF's repositories have."""
    fast = folder / "tokenizer.json"
    return Tokenizer.from_file(str(fast)) if fast.is_file() else read_tokenizer((folder / "spiece.model").read_bytes())


def _eight_bits() -> Any:
    if find_spec("bitsandbytes") is None:
        raise CheckpointError("T5 in 8 bits needs a package: pip install bitsandbytes==0.50.2, or load it whole.")
    from transformers import BitsAndBytesConfig

    build: Any = BitsAndBytesConfig
    return build(load_in_8bit=True)


def load_stage(folder: Path, name: str, text_encoder: TextEncoder, loading: Loading) -> Stage:
    """The stage of a folder, to be called `name`, on the processor.

    Raises:
        CheckpointError: a file is missing or damaged, or it is no stage of this name.
    """
    kind, _ = weight_files(folder, UNET, loading.dtype)
    with told(folder, f"{name} stage"):
        config = read_json(folder / SCHEDULER)
        if config.get("prediction_type", "epsilon") != "epsilon":
            raise ValueError(f"its scheduler predicts {config['prediction_type']!r}, not epsilon.")
        variance = config.get("variance_type", "fixed_small")
        if variance not in ("learned_range", "fixed_small"):
            raise ValueError(f"its scheduler's variance is {variance!r}, not learned_range or fixed_small.")
        unet = DeepFloydUNet(load_unet(folder / "unet", kind, loading.dtype))
        if unet.enlarges != (name != "base"):
            raise ValueError(f"its U-Net {'enlarges a picture' if unet.enlarges else 'enlarges none'}.")
        low_res = augment_then_upsample
        if unet.enlarges:
            noising = read_json(folder / "image_noising_scheduler" / "scheduler_config.json")
            low_res = upsample_then_noise(checkpoint_schedule(noising).alphas_cumprod)
        return Stage(
            name=name,
            size=unet.size,
            unet=unet,
            noise_schedule=checkpoint_schedule(config),
            prediction="epsilon",
            text_encoder=text_encoder,
            low_res=low_res,
            threshold_cap=_threshold_cap(config),
            learned_variance=variance == "learned_range",
            encodes_empty=True,
        )


def _threshold_cap(config: Mapping[str, Any]) -> float | None:
    """The largest s of a scheduler's configuration: its own, 1 where it only clips to [-1, 1], None for any.

    The values for names that are not there are those of diffusers.
    """
    if config.get("thresholding", False):
        cap = float(config.get("sample_max_value", 1.0))
        if not cap >= 1:
            raise ValueError(f"its scheduler's sample_max_value is {cap:g}, allowed is 1 and above.")
        return cap
    return 1.0 if config.get("clip_sample", True) else None
