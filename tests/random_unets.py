"""U-Nets none of whose parameters is at its start value, and arguments for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from imagen_core.models.attention_record import AttentionRecord
from imagen_core.models.conditioning import UNetConditioning
from imagen_core.models.unet import UNet
from imagen_core.models.unet_config import UNetConfig

# Every kind of level; 128 channels make two heads.
PLAIN = UNetConfig(
    2, (32, 128, 64), (1, 2, 1), ("none", "image and text", "text"), t5_width=24, text_width=32, embedding=40
)

# And every other part.
MIXED = replace(PLAIN, middle=2, places=True, text_layers=2)

# Purely local: no attention from pixel to pixel.
LOCAL = UNetConfig(2, (32, 32), (1, 1), ("none", "text"), low_res=True, t5_width=24, text_width=32, embedding=32)


def random_unet(config: UNetConfig) -> UNet:
    """No parameter is at its start value, and attention is sharp, so that every part of the network matters."""
    torch.manual_seed(1)
    unet = UNet(config)
    with torch.no_grad():
        for name, parameter in unet.named_parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
            if any(part in name for part in ("query", "key_value", "score")):
                parameter *= 2
    return unet.eval().to(memory_format=torch.channels_last)


def inputs(config: UNetConfig, n: int = 2, size: int = 16, tokens: int = 5) -> dict[str, Tensor]:
    """Arguments of one call; the second image counts fewer tokens than the first."""
    random = torch.Generator().manual_seed(2)
    given = {
        "x_t": torch.randn(n, 3, size, size, generator=random),
        "t": torch.tensor([999.0, 3.0, 400.0])[:n],
        "text": torch.randn(n, tokens, config.t5_width, generator=random) * 0.1,
        "mask": torch.arange(tokens)[None] < tokens - torch.arange(n)[:, None],
    }
    if config.low_res:
        given["low_res"] = torch.randn(n, 3, size, size, generator=random)
        given["aug_level"] = torch.tensor([0.3, 0.9, 0.0])[:n]
    return given


def predict(
    unet: UNet,
    between_blocks: Callable[[], None] | None = None,
    record: AttentionRecord | None = None,
    **given: Tensor,
) -> Tensor:
    """One call with the arguments of `inputs`."""
    conditioning = UNetConditioning(**{name: value for name, value in given.items() if name not in ("x_t", "t")})
    prediction: Tensor = unet(given["x_t"], given["t"], conditioning, between_blocks, record)
    return prediction
