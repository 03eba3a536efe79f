"""Blocks of the Efficient U-Net (appendix B and figures A.27 to A.30 of arXiv 2205.11487).

Images are (n, channels, height, width) in channels-last memory. One departure from the paper: features are normalised
over channels at each pixel, not over groups and space. The sum over space differs between a 256-pixel crop, on which
the 1024 stage is trained, and the whole picture, on which it runs; and on a processor in channels-last memory the
pixel's own norm is two to seven times faster. EDM2 (arXiv 2312.02696, section 2.5) trains without any norm over space
too.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SKIP_SCALE = 1 / math.sqrt(2)


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


class Places(nn.Module):
    """Adds to every pixel where in the picture it is, by a learned projection of sinusoids; begins by adding nothing.

    Attention takes no notice of order, and a convolution tells left from right by what it sees of the border alone.
    Places are shares of the picture, so the same at any size.
    """

    WIDTH = 16  # features of an axis, of wavelengths from half the picture to almost six of it

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.project = nn.Linear(2 * self.WIDTH, channels, bias=False)
        nn.init.zeros_(self.project.weight)

    def forward(self, x: Tensor) -> Tensor:
        """X (n, c, h, w) to the same shape."""
        height, width = x.shape[2:]
        rows, columns = (
            sinusoid((torch.arange(side, device=x.device) + 0.5) * (4 * math.pi / side), self.WIDTH, 16.0)
            for side in (height, width)
        )
        features = torch.cat([rows[:, None].expand(-1, width, -1), columns[None].expand(height, -1, -1)], dim=2)
        places: Tensor = self.project(features.to(self.project.weight.dtype))  # (h, w, c)
        return x + places.permute(2, 0, 1)


class FeedForward(nn.Module):
    """Norm, to twice the channels, SiLU and back, at each pixel; begins by adding nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = PixelNorm(channels)
        self.widen = nn.Linear(channels, 2 * channels)
        self.narrow = nn.Linear(2 * channels, channels, bias=False)
        nn.init.zeros_(self.narrow.weight)

    def forward(self, x: Tensor) -> Tensor:
        """X (n, c, h, w) to the same shape."""
        pixels = self.norm(x).permute(0, 2, 3, 1)  # (n, h, w, c)
        added: Tensor = self.narrow(F.silu(self.widen(pixels)))
        return x + added.permute(0, 3, 1, 2)
