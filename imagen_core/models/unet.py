"""The Efficient U-Net of all three stages (appendix B of arXiv 2205.11487).

It downsamples before the convolutions of a level and upsamples after them, holds more blocks where the image is
small, and scales skip connections by 1 / sqrt(2). The finest resolutions are folded into channels (pixel unshuffle)
so that a picture takes seconds on a processor. The super-resolution stages take the low-resolution image, noised to
`aug_level` (section 2.4), beside x_t.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagen_core.models.layers import (
    HEAD_WIDTH,
    SKIP_SCALE,
    PixelNorm,
    ResNetBlock,
    SelfAttention,
    TextAdapter,
    TextAttention,
    TextPooling,
    sinusoid,
)

ATTENTIONS = ("none", "text", "image and text")


@dataclass(frozen=True)
class UNetConfig:
    """The shape of a U-Net.

    patch: pixels of a side that are folded into channels before the first level.
    widths, blocks, attention: channels, residual blocks on the way down, and attention ("none", "text",
        "image and text") of each level, finest first.
    low_res: whether the network takes a low-resolution image and its aug_level.
    """

    patch: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    attention: tuple[str, ...]
    low_res: bool = False
    t5_width: int = 512
    text_width: int = 256
    embedding: int = 512

    def __post_init__(self) -> None:
        for name in ("widths", "blocks", "attention"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not len(self.widths) == len(self.blocks) == len(self.attention) > 0:
            raise ValueError("widths, blocks and attention must name the same levels.")
        sizes = (self.patch, *self.widths, *self.blocks, self.t5_width, self.text_width, self.embedding)
        if not all(type(size) is int and size >= 1 for size in sizes):
            raise ValueError("patch, widths, blocks, t5_width, text_width and embedding must be whole numbers above 0.")
        if self.text_width % TextPooling.HEADS or any(width % max(1, width // HEAD_WIDTH) for width in self.widths):
            raise ValueError("text_width or one of the widths cannot be shared out among the heads.")
        if unknown := set(self.attention) - set(ATTENTIONS):
            raise ValueError(f"attention must be one of {', '.join(ATTENTIONS)}, not {', '.join(sorted(unknown))}.")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint's header."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> UNetConfig:
        """Read back `to_dict`; unknown keys are refused.

        Raises:
            ValueError: a key is unknown or missing, or the values make no U-Net.
        """
        names = {field.name for field in fields(cls)}
        if unknown := set(values) - names:
            raise ValueError(f"the U-Net's configuration has unknown keys: {', '.join(sorted(unknown))}.")
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"the U-Net's configuration is incomplete: {error}.") from error


class Level(nn.Module):
    """The blocks of one resolution, with or without attention behind them."""

    def __init__(self, in_channels: tuple[int, ...], channels: int, attention: str, config: UNetConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ResNetBlock(width, channels, config.embedding) for width in in_channels)
        self.self_attention = SelfAttention(channels) if attention == "image and text" else None
        self.text_attention = None if attention == "none" else TextAttention(channels, config.text_width)


class UNet(nn.Module):
    """x_t, time, text (and the low-resolution image) to the network's prediction, in x_t's shape."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths, blocks = config.widths, config.blocks
        pixels = 3 * config.patch**2
        self.text_adapter = TextAdapter(config.t5_width, config.text_width)
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
        self.norm = PixelNorm(widths[0])
        self.head = nn.Conv2d(widths[0], pixels, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(
        self,
        x_t: Tensor,
        t: Tensor,
        text: Tensor,
        mask: Tensor,
        low_res: Tensor | None = None,
        aug_level: Tensor | None = None,
        between_blocks: Callable[[], None] | None = None,
    ) -> Tensor:
        """Predict from x_t (n, 3, h, w) at timesteps t (n,) in [0, 999]: (n, 3, h, w).

        text: T5 token states (n, l, t5_width); mask: (n, l), True where a token counts; all False is unconditional.
        low_res: (n, 3, h, w), upsampled and noised to aug_level (n,) in [0, 1], for a super-resolution stage.
        between_blocks: called before each block; what it raises stops the work there.

        Raises:
            ValueError: a super-resolution stage is given no low_res or aug_level, or another stage is given one.
        """
        pause = between_blocks or (lambda: None)
        dtype = self.stem.weight.dtype  # of the work inside; the result has x_t's
        text = self.text_adapter(text.to(dtype))  # (n, l, text_width)
        embedding = self.time(sinusoid(t, 256, 10_000.0).to(dtype)) + self.pooled_text(text, mask)  # (n, embedding)
        x = F.pixel_unshuffle(x_t.to(dtype), self.config.patch)  # (n, 3 p p, h / p, w / p)
        if self.aug_level is not None:
            if low_res is None or aug_level is None:
                raise ValueError("a super-resolution U-Net needs low_res and aug_level.")
            embedding = embedding + self.aug_level(sinusoid(aug_level * 1000, 64, 10_000.0).to(dtype))
            x = torch.cat([x, F.pixel_unshuffle(low_res.to(dtype), self.config.patch)], dim=1)
        elif low_res is not None or aug_level is not None:
            raise ValueError("only a super-resolution U-Net takes low_res and aug_level.")
        embedding = F.silu(embedding)

        h = self.stem(x.contiguous(memory_format=torch.channels_last))  # (n, widths[0], h / p, w / p)
        skips = []
        for index, level in enumerate(self.down):
            if index:
                h = self.downsample[index - 1](F.pixel_unshuffle(h, 2))  # half the size, widths[index]
            h = _run(level, h, embedding, (text, mask, pause))
            skips.append(h)
        for index in reversed(range(len(self.up))):
            h = torch.cat([h, skips[index] * SKIP_SCALE], dim=1)  # twice the channels
            h = _run(self.up[index], h, embedding, (text, mask, pause))
            if index:
                h = F.pixel_shuffle(self.upsample[index - 1](h), 2)  # twice the size, widths[index - 1]
        out = F.pixel_shuffle(self.head(F.silu(self.norm(h))), self.config.patch).to(x_t.dtype)  # (n, 3, h, w)
        if low_res is not None and aug_level is not None:
            # What the low-resolution image tells of x_0 at once, as far as its noise lets through.
            out = out + torch.cos(aug_level * (torch.pi / 2)).to(out.dtype)[:, None, None, None] * low_res
        return out


def _run(level: nn.Module, h: Tensor, embedding: Tensor, context: tuple[Tensor, Tensor, Callable[[], None]]) -> Tensor:
    text, mask, pause = context
    assert isinstance(level, Level)
    for block in level.blocks:
        pause()
        h = block(h, embedding)
    if level.self_attention is not None:
        pause()
        h = level.self_attention(h)
    if level.text_attention is not None:
        pause()
        h = level.text_attention(h, text, mask)
    return h
