"""Stable Diffusion's x4 upscaler as the third stage: from a folder in diffusers' layout to a stage of a cascade.

unet, scheduler, low_res_scheduler       the denoising, and the noise on the picture that is enlarged
vae                                      latents to pixels
text_encoder, tokenizer                  CLIP, which reads the prompt
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imagen_core.latents import Latents
from imagen_core.model_folder import DECODER, TEXT_ENCODER, UNET, read_json, told, weight_files
from imagen_core.model_names import INDEX, SCHEDULER
from imagen_core.models.deepfloyd import load_unet, load_whole
from imagen_core.models.upscaler import ClipStates, Decoder, LatentUpscaler, upscaler_level
from imagen_core.noise_conditioning import LowRes
from imagen_core.noise_schedule import checkpoint_schedule
from imagen_core.stage import Stage
from imagen_core.text_encoder import Marks, TextEncoder

NETWORKS = {"sr1024": UNET, "CLIP": TEXT_ENCODER, "decoder": DECODER}  # by their names in the memory plan
_MAX_TOKENS = 77  # start and end counted
_USUAL_LEVELS = 350


def load_upscaler(folder: Path, dtype: torch.dtype) -> tuple[Stage, tuple[nn.Module, ...]]:
    """The stage "sr1024" of a folder, on the processor, and its networks.

    Raises:
        CheckpointError: a file is missing or damaged, or it is another kind of model.
    """
    kind, _ = weight_files(folder, UNET, dtype)
    with told(folder, "x4 upscaler"):
        config = read_json(folder / SCHEDULER)
        prediction = {"v_prediction": "v", "epsilon": "epsilon"}[config.get("prediction_type", "epsilon")]
        levels = int(read_json(folder / INDEX).get("max_noise_level", _USUAL_LEVELS))
        unet = LatentUpscaler(load_unet(folder / UNET.folder, kind, dtype), levels)
        decoder = Decoder(_load_autoencoder(folder, dtype))
        if decoder.channels != unet.channels:
            raise ValueError(f"its U-Net has {unet.channels} channels and its decoder {decoder.channels}.")
        if decoder.factor != 4:
            raise ValueError(f"its decoder makes {decoder.factor} pixels of a latent where 4 are needed.")
        text_encoder = _load_clip(folder, dtype)
        noising = checkpoint_schedule(read_json(folder / "low_res_scheduler" / "scheduler_config.json"))
        stage = Stage(
            name="sr1024",
            size=1024,
            unet=unet,
            noise_schedule=checkpoint_schedule(config),
            prediction=prediction,  # type: ignore[arg-type]
            text_encoder=text_encoder,
            low_res=noised(noising.alphas_cumprod, levels),
            encodes_empty=True,
            latents=Latents(unet.channels, 1024 // decoder.factor, decoder),
        )
    return stage, (text_encoder.model, unet, decoder)


def noised(alphas_cumprod: Tensor, num_levels: int) -> LowRes:
    """The picture at its own size with noise of `upscaler_level`: it has as many pixels a side as the latents.

    alphas_cumprod: alpha_bar of the noising process, float64 (1000,) on the CPU.
    """

    def condition(picture: Tensor, aug_level: float, size: int, draw: Callable[[int], Tensor]) -> Tensor:
        alpha_bar = alphas_cumprod[int(upscaler_level(torch.tensor(aug_level), num_levels))].item()
        noise = draw(picture.shape[2]).to(picture.device)
        return picture * math.sqrt(alpha_bar) + noise * math.sqrt(1 - alpha_bar)

    return condition


def _load_autoencoder(folder: Path, dtype: torch.dtype) -> Any:
    from diffusers import AutoencoderKL

    kind, _ = weight_files(folder, DECODER, dtype)
    return load_whole(AutoencoderKL, folder / DECODER.folder, variant=kind)


def _load_clip(folder: Path, dtype: torch.dtype) -> TextEncoder:
    from transformers import CLIPTextModel, CLIPTokenizer

    kind, _ = weight_files(folder, TEXT_ENCODER, dtype)
    if not any((folder / "tokenizer" / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        raise ValueError("tokenizer/vocab.json is missing.")  # or the library would make an empty one
    read: Any = CLIPTokenizer.from_pretrained
    tokenizer = read(folder / "tokenizer", local_files_only=True)
    clip = load_whole(CLIPTextModel, folder / TEXT_ENCODER.folder, variant=kind, dtype=dtype)
    marks = Marks(tokenizer.bos_token, tokenizer.eos_token, "", tokenizer.pad_token_id)
    return TextEncoder(ClipStates(clip), tokenizer.backend_tokenizer, _MAX_TOKENS, padded=True, marks=marks)
