"""Blocks of the Efficient U-Net (appendix B and figures A.27 to A.30 of arXiv 2205.11487).

Images are (n, channels, height, width) in channels-last memory, text is (n, tokens, width). One departure from the
paper: features are normalised over channels at each pixel, not over groups and space. The sum over space differs
between a 256-pixel crop, on which the 1024 stage is trained, and the whole picture, on which it runs; and on a
processor in channels-last memory the pixel's own norm is two to seven times faster. EDM2 (arXiv 2312.02696, section
2.5) trains without any norm over space too.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SKIP_SCALE = 1 / math.sqrt(2)
HEAD_WIDTH = 32


class PixelNorm(nn.Module):
    """Layer norm over the channels of each pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """X (n, c, h, w) to the same shape."""
        pixels = x.permute(0, 2, 3, 1)  # (n, h, w, c): contiguous where x is channels-last
        return F.layer_norm(pixels, self.weight.shape, self.weight, self.bias).permute(0, 3, 1, 2)


def sinusoid(position: Tensor, width: int, longest: float) -> Tensor:
    """Sine and cosine features of `position` (n,), wavelengths from 2 pi to 2 pi `longest`: (n, width)."""
    half = width // 2
    rates = torch.exp(-math.log(longest) * torch.arange(half, device=position.device, dtype=torch.float32) / half)
    angles = position.float()[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class ResNetBlock(nn.Module):
    """Norm, SiLU, 3x3 convolution, twice; the time and pooled text embedding scales and shifts the second norm."""

    def __init__(self, in_channels: int, channels: int, embedding: int) -> None:
        super().__init__()
        self.norm_1 = PixelNorm(in_channels)
        self.conv_1 = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * channels)
        self.norm_2 = PixelNorm(channels)
        self.conv_2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.skip = nn.Conv2d(in_channels, channels, 1) if in_channels != channels else nn.Identity()
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        nn.init.zeros_(self.conv_2.weight)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """X (n, in_channels, h, w) and embedding (n, e), already through its SiLU, to (n, channels, h, w)."""
        h = self.conv_1(F.silu(self.norm_1(x)))
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, dim=1)  # 2 x (n, channels, 1, 1)
        h = F.silu(torch.addcmul(shift, self.norm_2(h), 1 + scale))
        out: Tensor = self.skip(x) + self.conv_2(h)
        return out


class Attention(nn.Module):
    """Attention of the image to the text and, where `to_image`, to itself: one softmax over both (appendix D.3.1).

    The text's keys and values are joined to those of the image. A learned null token is always among them, so that a
    prompt that is masked out, as guidance needs it, leaves something to attend to.
    """

    def __init__(self, channels: int, text_width: int, to_image: bool) -> None:
        super().__init__()
        self.heads = max(1, channels // HEAD_WIDTH)
        self.to_image = to_image
        self.norm = PixelNorm(channels)
        self.query = nn.Linear(channels, channels, bias=False)
        self.key_value = nn.Linear(channels, 2 * channels, bias=False) if to_image else None
        self.text_key_value = nn.Linear(text_width, 2 * channels, bias=False)
        self.null = nn.Parameter(torch.randn(1, 1, text_width))
        self.out = nn.Linear(channels, channels, bias=False)
        nn.init.zeros_(self.out.weight)

    def _split(self, x: Tensor) -> Tensor:
        n, tokens, width = x.shape
        return x.reshape(n, tokens, self.heads, width // self.heads).transpose(1, 2)  # (n, heads, tokens, c / heads)

    def forward(self, x: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """X (n, c, h, w), text (n, l, text_width), mask (n, l) True where a token counts, to (n, c, h, w)."""
        n, c, height, width = x.shape
        pixels = self.norm(x).permute(0, 2, 3, 1).reshape(n, height * width, c)
        text = torch.cat([self.null.expand(n, -1, -1).to(text.dtype), text], dim=1)  # (n, 1 + l, text_width)
        key_value = self.text_key_value(text)  # (n, 1 + l, 2 c)
        bias = torch.zeros(n, 1, 1, key_value.shape[1], dtype=pixels.dtype, device=x.device)
        bias[:, 0, 0, 1:].masked_fill_(~mask, -torch.inf)
        if self.key_value is not None:
            key_value = torch.cat([key_value, self.key_value(pixels)], dim=1)  # (n, 1 + l + h w, 2 c)
            bias = F.pad(bias, (0, height * width))
        key, value = (self._split(part) for part in key_value.chunk(2, dim=2))
        query = self._split(self.query(pixels)) * (c // self.heads) ** -0.5
        weights = (query @ key.transpose(2, 3) + bias).softmax(dim=3)  # (n, heads, h w, tokens)
        mixed = (weights.to(value.dtype) @ value).transpose(1, 2).reshape(n, height * width, c)
        attended: Tensor = self.out(mixed).reshape(n, height, width, c).permute(0, 3, 1, 2)
        return x + attended


class TextAdapter(nn.Module):
    """T5's token states to the U-Net's text: normalised (their deviation is about 0.1), mixed, with places added.

    T5 knows relative places only, and attention to tokens ignores their order; the sum with a sinusoid of the
    token's place tells "a cat left of a dog" from "a dog left of a cat" without asking T5 for it.
    """

    def __init__(self, t5_width: int, text_width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(t5_width, elementwise_affine=False)
        self.project = nn.Linear(t5_width, text_width)
        self.place = nn.Linear(text_width, text_width, bias=False)
        self.mix = nn.Linear(text_width, text_width)
        self.out_norm = nn.LayerNorm(text_width)

    def forward(self, states: Tensor) -> Tensor:
        """States (n, l, t5_width) to (n, l, text_width)."""
        x = self.project(self.norm(states))
        places = torch.arange(states.shape[1], device=states.device)
        x = x + self.place(sinusoid(places, x.shape[2], 100.0).to(x.dtype))
        text: Tensor = self.out_norm(x + self.mix(F.silu(x)))
        return text
