"""DeepFloyd IF's safety checker and its watermark.

Both fail closed: what cannot be loaded, or does nothing, is an error and not a picture without them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imagen_core.images import to_pil, to_tensor
from imagen_core.models.deepfloyd import load_whole
from imagen_core.shards import CheckpointError

# From which score on a picture is refused; as in diffusers.
_THRESHOLD = 0.5


def load_checker(folder: Path, variant: str | None) -> torch.nn.Module:
    """The safety checker in `folder`/safety_checker, in float32 on the processor.

    Raises:
        CheckpointError: it cannot be loaded, or not with all its weights.
    """
    from diffusers.pipelines.deepfloyd_if.safety_checker import IFSafetyChecker

    class SafetyChecker(IFSafetyChecker):  # type: ignore[no-untyped-call]
        """Diffusers' class, with the call that transformers 5 needs at the end of a constructor."""

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.post_init()  # type: ignore[no-untyped-call]

    try:
        return load_whole(SafetyChecker, folder / "safety_checker", variant=variant, dtype=torch.float32)
    except Exception as error:
        raise CheckpointError(_closed(folder, error)) from error


def load_refusal(folder: Path, checker: torch.nn.Module) -> Callable[[Tensor], tuple[bool, ...]]:
    """Which of n pictures (n, 3, h, w) in [-1, 1] must not be shown: unfit ones, and those with a watermark of others.

    Raises:
        CheckpointError: the pictures cannot be prepared for the checker.
    """
    from transformers import CLIPImageProcessorPil

    try:
        prepare = CLIPImageProcessorPil.from_pretrained(folder / "feature_extractor", local_files_only=True)
    except Exception as error:
        raise CheckpointError(_closed(folder, error)) from error
    network: Any = checker

    @torch.inference_mode()
    def refused(x_0: Tensor) -> tuple[bool, ...]:
        pixels = prepare(to_pil(x_0), return_tensors="pt").pixel_values  # (n, 3, side, side)
        states = network.vision_model(pixels)[0]  # (n, projection_dim)
        scores = torch.cat([network.p_head(states), network.w_head(states)], dim=1)  # (n, 2)
        # Not `scores > threshold`: a score that is not a number is refused too.
        return tuple((~(scores <= _THRESHOLD).all(dim=1)).tolist())

    return refused


def load_watermark(folder: Path, variant: str | None) -> Callable[[Tensor], Tensor]:
    """What puts DeepFloyd IF's mark on pictures (n, 3, h, w) in [-1, 1].

    Raises:
        CheckpointError: it cannot be loaded, or is empty.
    """
    from diffusers.pipelines.deepfloyd_if.watermark import IFWatermarker

    try:
        watermarker: Any = IFWatermarker.from_pretrained(
            folder / "watermarker", variant=variant, local_files_only=True, use_safetensors=True
        )
    except Exception as error:
        raise CheckpointError(f"The watermark in {folder} cannot be loaded: {_first_line(error)}") from error
    if not watermarker.watermark_image[..., 3].any():
        raise CheckpointError(f"The watermark in {folder} is empty: fetch the folder watermarker again.")

    def marked(x_0: Tensor) -> Tensor:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'mode' parameter", DeprecationWarning)  # diffusers' own call of Pillow
            pictures = watermarker.apply_watermark(to_pil(x_0))
        return torch.cat([to_tensor(picture) for picture in pictures])

    return marked


def _closed(folder: Path, error: Exception) -> str:
    return f"The safety checker in {folder} cannot be loaded, and nothing is drawn without it: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
