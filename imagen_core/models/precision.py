"""In which number format a U-Net works on this device.

bfloat16 halves the memory and, on hardware with matrix units for it, more than halves the time; a processor without
them gains too little to give up the exact figures of float32. Because the format decides the last bits of a picture,
the choice must come out the same every time: it asks for the units first, and measures with a wide margin.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence

import torch

from imagen_core.models.conditioning import UNetConditioning
from imagen_core.models.unet import UNet

FORMATS = (torch.float32, torch.bfloat16)  # in float16 nothing was measured, and its range is small
MARGIN = 1.3  # bfloat16 must be so many times as fast
_ROUNDS = 3


def has_matrix_units() -> bool:
    """Whether this processor has tile units for bfloat16 (AMX)."""
    asked = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(asked and asked())


def multiplies_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself (AVX-512 BF16 or AMX), and not by way of float32."""
    asked = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return has_matrix_units() or bool(asked and asked())


@torch.inference_mode()
def seconds_per_call(unets: Sequence[UNet], size: int, images: int = 2) -> list[float]:
    """The shortest time of some calls of each network at `size` pixels; two images are one with guidance.

    The networks are called in turn, so that other work on the machine slows all of them.
    """
    x_t = torch.zeros(images, 3, size, size).contiguous(memory_format=torch.channels_last)
    times: list[list[float]] = [[] for _ in unets]
    for _ in range(_ROUNDS + 1):
        for unet, own in zip(unets, times, strict=True):
            text = torch.zeros(images, 16, unet.config.t5_width)
            given = UNetConditioning(text, torch.ones(images, 16, dtype=torch.bool))
            started = time.perf_counter()
            unet(x_t.to(next(unet.parameters()).dtype), torch.zeros(images), given)
            own.append(time.perf_counter() - started)
    return [min(own[1:]) for own in times]


def _quicker_format(base: UNet, size: int, images: int) -> torch.dtype:
    """bfloat16 where it is `MARGIN` times as quick, else float32."""
    rounded, exact = seconds_per_call([copy.deepcopy(base).bfloat16(), base], size, images)
    return torch.bfloat16 if rounded * MARGIN < exact else torch.float32


def working_format(base: UNet, size: int, device: torch.device) -> torch.dtype:
    """float32 or bfloat16 for a cascade whose first stage is `base` (in float32, on a processor).

    On CUDA bfloat16 where the device computes in it; on a processor where it has the units and a measurement agrees.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type != "cpu" or not has_matrix_units():
        return torch.float32
    return _quicker_format(base, size, images=2)


def draft_format(base: UNet, size: int) -> torch.dtype:
    """float32 or bfloat16 for drafts on a processor, which are drawn again before anybody keeps them.

    bfloat16 where the base works in it already, or where the processor multiplies it and a batch of eight is so much
    quicker in it.
    """
    if next(base.parameters()).dtype == torch.bfloat16:
        return torch.bfloat16
    if not multiplies_bfloat16():
        return torch.float32
    return _quicker_format(base, size, images=16)
