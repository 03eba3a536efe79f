"""Stages that draw in the latents of an autoencoder (arXiv 2112.10752) instead of in pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_PREVIEW = 4  # latents of a preview are so many times smaller a side, and as much quicker to decode, squared


@dataclass(frozen=True)
class Latents:
    """What a stage draws instead of pixels: `channels` values at each of `side` x `side` places.

    decode: from latents (n, channels, h, w) to pictures (n, 3, f h, f w), nominally in [-1, 1].
    """

    channels: int
    side: int
    decode: Callable[[Tensor], Tensor]

    @torch.inference_mode()
    def picture(self, x_0: Tensor) -> Tensor:
        """The picture that latents stand for, in [-1, 1]; one image after the other, because decoding takes memory."""
        return torch.cat([self.decode(image).clamp(-1, 1) for image in torch.split(x_0, 1)])

    def preview(self, x_0: Tensor) -> Tensor:
        """The same, smaller and blurred, for a sixteenth of the work."""
        return self.picture(functional.avg_pool2d(x_0, _PREVIEW))

    def noisy(self, x_t: Tensor) -> Tensor:
        """Noisy latents to look at, (n, 3, side, side): three of their channels. Decoded, they would be no noise."""
        return x_t[:, :3]
