"""Model folders in DeepFloyd IF's layout, as diffusers writes it: from files to the stages of a cascade.

model_index.json                           what the folder holds
unet, scheduler                            one stage; image_noising_scheduler too where it enlarges a picture
text_encoder, tokenizer                    the frozen T5, at least in the folder of the first stage
safety_checker, feature_extractor, watermarker   optional

Weights are safetensors only, and nothing in a folder is ever run as code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from imagen_core.captions import plain_caption
from imagen_core.model_names import INDEX, SCHEDULER
from imagen_core.models.deepfloyd import MAX_TOKENS, DeepFloydUNet, check_complete, load_unet
from imagen_core.noise_conditioning import augment_then_upsample, upsample_then_noise
from imagen_core.noise_schedule import checkpoint_schedule
from imagen_core.sentencepiece_model import read_tokenizer
from imagen_core.shards import CheckpointError
from imagen_core.stage import Stage
from imagen_core.text_encoder import TextEncoder

_PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")


@dataclass(frozen=True)
class Loading:
    """How to load: the number format of the weights, T5 in 8 bits or not, and what is done to a prompt first."""

    dtype: torch.dtype = torch.float32
    eight_bit: bool = False
    caption: Callable[[str], str] = plain_caption


@dataclass(frozen=True)
class Component:
    """A network's folder inside a stage's folder, and the name that its weights begin with."""

    folder: str
    stem: str


UNET = Component("unet", "diffusion_pytorch_model")
TEXT_ENCODER = Component("text_encoder", "model")
SAFETY_CHECKER = Component("safety_checker", "model")
WATERMARKER = Component("watermarker", "diffusion_pytorch_model")


def holds(folder: Path, component: Component) -> bool:
    """Whether a stage's folder has an optional component, or lists it in its index: then it must be there.

    Raises:
        CheckpointError: the folder's index cannot be read.
    """
    with _told(folder, "model"):
        listed = _read_json(folder / INDEX).get(component.folder)
        return (folder / component.folder).is_dir() or listed not in (None, [None, None])


def needs_checker(folder: Path) -> bool:
    """Whether a first stage's pictures must be checked: where the folder has a safety checker, or does not say no.

    Raises:
        CheckpointError: the folder's index cannot be read.
    """
    with _told(folder, "model"):
        required = _read_json(folder / INDEX).get("requires_safety_checker", True) is not False
        return required or holds(folder, SAFETY_CHECKER)


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
        with _told(folder, component.folder):
            listed = set(_read_json(folder / index[0])["weight_map"].values())
        missing = sorted(name for name in listed if not (folder / component.folder / name).is_file())
        if missing:
            raise CheckpointError(f"{folder}: {component.folder}/{missing[0]} is missing: fetch it again.")
    return kind, tuple(folder / name for name in chosen if name not in index)


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
    with _told(folder, "text encoder"):
        tokenizer = _read_tokenizer(folder / "tokenizer")
        load: Any = T5EncoderModel.from_pretrained
        model, told = load(
            folder / TEXT_ENCODER.folder,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            **options,
        )
        check_complete(told)
        return TextEncoder(model, tokenizer, MAX_TOKENS, padded=True, caption=loading.caption)


def _read_tokenizer(folder: Path) -> Tokenizer:
    """From tokenizer.json where it is there, else from spiece.model, which is all that IF's repositories have."""
    fast = folder / "tokenizer.json"
    return Tokenizer.from_file(str(fast)) if fast.is_file() else read_tokenizer((folder / "spiece.model").read_bytes())


def _eight_bits() -> Any:
    if find_spec("bitsandbytes") is None or not torch.cuda.is_available():
        raise CheckpointError(
            "T5 in 8 bits needs a CUDA device and the package bitsandbytes: pip install bitsandbytes, or load it whole."
        )
    from transformers import BitsAndBytesConfig

    build: Any = BitsAndBytesConfig
    return build(load_in_8bit=True)


def load_stage(folder: Path, name: str, text_encoder: TextEncoder, loading: Loading) -> Stage:
    """The stage of a folder, to be called `name`, on the processor.

    Raises:
        CheckpointError: a file is missing or damaged, or it is no stage of this name.
    """
    kind, _ = weight_files(folder, UNET, loading.dtype)
    with _told(folder, f"{name} stage"):
        config = _read_json(folder / SCHEDULER)
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
            noising = _read_json(folder / "image_noising_scheduler" / "scheduler_config.json")
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


def _read_json(path: Path) -> Mapping[str, Any]:
    values = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise ValueError(f"{path.name} is no JSON object.")
    return values


class _told:
    """Turn what the libraries say of a damaged folder into one sentence."""

    def __init__(self, folder: Path, what: str) -> None:
        self.folder, self.what = folder, what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, CheckpointError):
            first = str(error).strip().partition("\n")[0]
            raise CheckpointError(f"{self.folder} holds no {self.what} that this program knows: {first}") from error
