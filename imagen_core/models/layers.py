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
HEAD_WIDTH = 64


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


def _heads(x: Tensor) -> Tensor:
    """(n, tokens, c) to (n, heads, tokens, c / heads), with one head for every HEAD_WIDTH channels, at least one."""
    n, tokens, width = x.shape
    return x.reshape(n, tokens, max(1, width // HEAD_WIDTH), -1).transpose(1, 2)


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> Tensor:
    """Multi-head attention of (n, q, c) to (n, k, c): (n, q, c). `bias` (n, 1, 1, k) is added to the logits.

    Plain matrix products: the fused kernel of a processor is slow backwards.
    """
    heads = _heads(query)  # (n, heads, q, d)
    logits = heads * heads.shape[3] ** -0.5 @ _heads(key).transpose(2, 3)  # (n, heads, q, k)
    weights = (logits if bias is None else logits + bias).softmax(dim=3)
    mixed = weights.to(value.dtype) @ _heads(value)  # (n, heads, q, d)
    joined: Tensor = mixed.transpose(1, 2).reshape(query.shape)
    return joined


class SelfAttention(nn.Module):
    """Attention of the pixels to each other."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = PixelNorm(channels)
        self.query_key_value = nn.Linear(channels, 3 * channels, bias=False)
        self.out = nn.Linear(channels, channels, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        """X (n, c, h, w) to the same shape."""
        n, c, height, width = x.shape
        pixels = self.norm(x).permute(0, 2, 3, 1).reshape(n, height * width, c)
        query, key, value = self.query_key_value(pixels).chunk(3, dim=2)
        attended: Tensor = self.out(attend(query, key, value))
        return x + attended.reshape(n, height, width, c).permute(0, 3, 1, 2)


class TextAttention(nn.Module):
    """Attention of the pixels to the text, with a softmax of its own.

    The paper's Efficient U-Net joins the text's keys to the image's in one softmax (appendix D.3.1). There a dozen
    tokens begin with a few per cent of the attention, and a small model learns its words late. A learned null token
    is always among the keys, so that a prompt that is masked out, as guidance needs it, leaves something to attend to.
    """

    def __init__(self, channels: int, text_width: int) -> None:
        super().__init__()
        self.norm = PixelNorm(channels)
        self.query = nn.Linear(channels, channels, bias=False)
        self.key_value = nn.Linear(text_width, 2 * channels, bias=False)
        self.null = nn.Parameter(torch.randn(1, 1, text_width))
        self.out = nn.Linear(channels, channels, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """X (n, c, h, w), text (n, l, text_width), mask (n, l) True where a token counts, to (n, c, h, w)."""
        n, c, height, width = x.shape
        pixels = self.norm(x).permute(0, 2, 3, 1).reshape(n, height * width, c)
        text = torch.cat([self.null.expand(n, -1, -1).to(text.dtype), text], dim=1)  # (n, 1 + l, text_width)
        key, value = self.key_value(text).chunk(2, dim=2)
        bias = torch.zeros(n, 1, 1, text.shape[1], dtype=key.dtype, device=x.device)
        bias[:, 0, 0, 1:].masked_fill_(~mask, -torch.inf)
        attended: Tensor = self.out(attend(self.query(pixels), key, value, bias))
        return x + attended.reshape(n, height, width, c).permute(0, 3, 1, 2)


class TextAdapter(nn.Module):
    """T5's token states to the U-Net's text: standardised, mixed, with places added.

    T5's states are small (deviation 0.1) and a few of their dimensions drown the others. They are normalised, then
    each dimension is scaled and shifted, from the start so that it has mean 0 and deviation 1 over the training
    captions (`standardise`). T5 knows relative places only, and attention to tokens ignores their order; a sinusoid of
    the token's place tells "a cat left of a dog" from "a dog left of a cat" without asking T5 for it.
    """

    def __init__(self, t5_width: int, text_width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(t5_width)
        self.project = nn.Linear(t5_width, text_width)
        self.place = nn.Linear(text_width, text_width, bias=False)
        self.mix = nn.Linear(text_width, text_width)
        self.out_norm = nn.LayerNorm(text_width)

    def standardise(self, states: Tensor) -> None:
        """Set the norm's scale and shift from token states (count, t5_width) of the training captions."""
        normal = F.layer_norm(states.float(), self.norm.normalized_shape)
        deviation, mean = torch.std_mean(normal, dim=0)
        with torch.no_grad():
            self.norm.weight.copy_(1 / deviation)
            self.norm.bias.copy_(-mean / deviation)

    def forward(self, states: Tensor) -> Tensor:
        """States (n, l, t5_width) to (n, l, text_width)."""
        x = self.project(self.norm(states))
        places = torch.arange(states.shape[1], device=states.device)
        x = x + self.place(sinusoid(places, x.shape[2], 100.0).to(x.dtype))
        text: Tensor = self.out_norm(x + self.mix(F.silu(x)))
        return text


class TextPooling(nn.Module):
    """One vector of the text for the time embedding: each of 8 heads weighs the tokens by learned scores."""

    HEADS = 8

    def __init__(self, text_width: int, embedding: int) -> None:
        super().__init__()
        self.score = nn.Linear(text_width, self.HEADS)
        self.out = nn.Linear(text_width, embedding)
        nn.init.zeros_(self.score.weight)  # begins as the mean over the tokens

    def forward(self, text: Tensor, mask: Tensor) -> Tensor:
        """Text (n, l, text_width), mask (n, l) to (n, embedding); without any token, the bias alone."""
        scores = self.score(text).masked_fill(~mask[:, :, None], -1e4)  # (n, l, heads)
        weights = scores.softmax(dim=1) * mask[:, :, None]  # all zero where no token counts
        n, tokens, width = text.shape
        parts = text.reshape(n, tokens, self.HEADS, -1)
        pooled = (parts * weights[:, :, :, None]).sum(dim=1).reshape(n, width)  # (n, text_width)
        embedding: Tensor = self.out(pooled)
        return embedding
