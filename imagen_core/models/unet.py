"""The Efficient U-Net of all three stages (appendix B of arXiv 2205.11487).

It downsamples before the convolutions of a level and upsamples after them, holds more blocks where the image is
small, and scales skip connections by 1 / sqrt(2). The finest resolutions are folded into channels (pixel unshuffle)
so that a picture takes seconds on a processor. The super-resolution stages take the low-resolution image, noised to
`aug_level` (section 2.4), beside x_t.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagen_core.models.attention import SelfAttention, TextAttention
from imagen_core.models.attention_record import AttentionRecord
from imagen_core.models.conditioning import UNetConditioning
from imagen_core.models.layers import SKIP_SCALE, FeedForward, PixelNorm, Places, ResNetBlock, sinusoid
from imagen_core.models.text import TextAdapter, TextLayer, TextPooling
from imagen_core.models.unet_config import UNetConfig


class Level(nn.Module):
    """The blocks of one resolution, with or without attention behind them, and a feed-forward layer in the middle."""

    def __init__(
        self, in_channels: tuple[int, ...], channels: int, attention: str, config: UNetConfig, feed: bool = False
    ) -> None:
        super().__init__()
        blocks = [ResNetBlock(width, channels, config.embedding) for width in in_channels]
        for further in blocks[1:]:  # they begin by adding nothing, so that a network can grow
            nn.init.zeros_(further.conv_2.bias)  # type: ignore[arg-type]
        self.blocks = nn.ModuleList(blocks)
        self.places = Places(channels) if config.places and attention != "none" else None
        self.self_attention = SelfAttention(channels) if attention == "image and text" else None
        self.text_attention = None if attention == "none" else TextAttention(channels, config.text_width)
        self.feed_forward = FeedForward(channels) if feed else None


@dataclass(frozen=True)
class _Context:
    """What every level is given beside its features: the adapted text, which tokens count, and who looks on."""

    text: Tensor
    mask: Tensor
    log_weights: Tensor | None
    pause: Callable[[], None]
    record: AttentionRecord | None


class UNet(nn.Module):
    """x_t, time, text (and the low-resolution image) to the network's prediction, in x_t's shape."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths, blocks = config.widths, config.blocks
        pixels = 3 * config.patch**2
        self.text_adapter = TextAdapter(config.t5_width, config.text_width)
        self.text_layers = nn.ModuleList(TextLayer(config.text_width) for _ in range(config.text_layers))
        self.pooled_text = TextPooling(config.text_width, config.embedding)
        self.time = nn.Sequential(
            nn.Linear(256, config.embedding), nn.SiLU(), nn.Linear(config.embedding, config.embedding)
        )
        self.aug_level = nn.Linear(64, config.embedding) if config.low_res else None
        self.stem = nn.Conv2d(pixels * (2 if config.low_res else 1), widths[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        self.downsample, self.upsample = nn.ModuleList(), nn.ModuleList()
        for level, (width, count, kind) in enumerate(zip(widths, blocks, config.attention, strict=True)):
            last = level == len(widths) - 1
            self.down.append(Level((width,) * count, width, kind, config))
            self.up.append(Level((2 * width, *(width,) * (count - 1)), width, kind, config))
            if not last:
                self.downsample.append(nn.Conv2d(4 * width, widths[level + 1], 1))
                self.upsample.append(nn.Conv2d(widths[level + 1], 4 * width, 1))
        self.middle = nn.ModuleList(
            Level((), widths[-1], "image and text", config, feed=True) for _ in range(config.middle)
        )
        self.norm = PixelNorm(widths[0])
        self.head = nn.Conv2d(widths[0], pixels, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(
        self,
        x_t: Tensor,
        t: Tensor,
        given: UNetConditioning,
        between_blocks: Callable[[], None] | None = None,
        record: AttentionRecord | None = None,
    ) -> Tensor:
        """Predict from x_t (n, 3, h, w) at timesteps t (n,) in [0, 999]: (n, 3, h, w).

        between_blocks: called before each block; what it raises stops the work there. record: is given the weights of
        every attention to the text.

        Raises:
            ValueError: a super-resolution stage is given no low_res or aug_level, or another stage is given one.
        """
        dtype = self.stem.weight.dtype  # of the work inside; the result has x_t's
        low = given.low_res_and_level(self.aug_level is not None)
        text = self.text_adapter(given.text.to(dtype))  # (n, l, text_width)
        mask = given.counted
        for layer in self.text_layers:
            text = layer(text, mask, given.log_weights)
        context = _Context(text, mask, given.log_weights, between_blocks or (lambda: None), record)
        embedding = self.time(sinusoid(t, 256, 10_000.0).to(dtype))  # (n, embedding)
        embedding = embedding + self.pooled_text(text, context.mask, context.log_weights)
        x = F.pixel_unshuffle(x_t.to(dtype), self.config.patch)  # (n, 3 p p, h / p, w / p)
        if self.aug_level is not None and low is not None:
            low_res, aug_level = low
            embedding = embedding + self.aug_level(sinusoid(aug_level * 1000, 64, 10_000.0).to(dtype))
            x = torch.cat([x, F.pixel_unshuffle(low_res.to(dtype), self.config.patch)], dim=1)
        embedding = F.silu(embedding)

        h = self.stem(x.contiguous(memory_format=torch.channels_last))  # (n, widths[0], h / p, w / p)
        skips = []
        for index, level in enumerate(self.down):
            if index:
                h = self.downsample[index - 1](F.pixel_unshuffle(h, 2))  # half the size, widths[index]
            h = _run(level, h, embedding, context)
            skips.append(h)
        for level in self.middle:
            h = _run(level, h, embedding, context)
        for index in reversed(range(len(self.up))):
            h = torch.cat([h, skips[index] * SKIP_SCALE], dim=1)  # twice the channels
            h = _run(self.up[index], h, embedding, context)
            if index:
                h = F.pixel_shuffle(self.upsample[index - 1](h), 2)  # twice the size, widths[index - 1]
        out = F.pixel_shuffle(self.head(F.silu(self.norm(h))), self.config.patch).to(x_t.dtype)  # (n, 3, h, w)
        if low is not None:
            # What the low-resolution image tells of x_0 at once, as far as its noise lets through; the network adds
            # what is missing, in units of how much that is.
            known = torch.cos(aug_level * (torch.pi / 2)).to(out.dtype)[:, None, None, None]
            out = spread(aug_level, self.config.residual).to(out.dtype)[:, None, None, None] * out + known * low_res
        return out


def spread(aug_level: Tensor, residual: float) -> Tensor:
    """Root mean square, roughly, of what x_0 differs by from the low-resolution image at aug_level (n,): (n,).

    `residual` is that of a clean one. In units of it the little that a clean image lacks counts in training as much as
    the much that a noised one lacks (the reason for c_out in arXiv 2206.00364, equation 7).
    """
    angle = aug_level * (torch.pi / 2)
    return (residual**2 * angle.cos().square() + angle.sin().square()).sqrt()


def _run(level: nn.Module, h: Tensor, embedding: Tensor, context: _Context) -> Tensor:
    pause = context.pause
    assert isinstance(level, Level)
    for block in level.blocks:
        pause()
        h = block(h, embedding)
    if level.places is not None:
        h = level.places(h)
    if level.self_attention is not None:
        pause()
        h = level.self_attention(h)
    if level.text_attention is not None:
        pause()
        h = level.text_attention(h, context.text, context.mask, context.log_weights, context.record)
    if level.feed_forward is not None:
        pause()
        h = level.feed_forward(h)
    return h
