"""Noise conditioning augmentation of the super-resolution stages (section 2.4 of arXiv 2205.11487).

A super-resolution stage sees the picture of the stage before through noise, and is told how much: `aug_level` 0 is
the picture itself, 1 is noise alone. In training the level is drawn anew for every picture, so at sampling time a user
can choose how far the stage may depart from what it was given. Training and sampling both call these two functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import torch
from torch.nn import functional

from imagen_core.models.deepfloyd import noise_level

if TYPE_CHECKING:
    from torch import Tensor


def augment(low_res: Tensor, aug_level: float | Tensor, noise: Tensor) -> Tensor:
    """Mix a picture with Gaussian noise, variance-preserving: cos(a pi/2) low_res + sin(a pi/2) noise.

    The cosine map makes log-SNR symmetric around a = 0.5 and never lets the variance of the mix exceed that of its
    parts, so that the U-Net's input has the same scale at every level.

    Args:
        low_res: (n, 3, h, w) in [-1, 1].
        aug_level: in [0, 1], one number for all pictures or a tensor (n,) with one for each.
        noise: standard normal, shaped like low_res.

    Raises:
        ValueError: a number outside [0, 1], or a tensor whose shape is not (n,).
    """
    if not isinstance(aug_level, torch.Tensor):
        if not 0.0 <= aug_level <= 1.0:
            raise ValueError(f"aug_level is {aug_level!r}, allowed is 0 to 1")
        angle = aug_level * math.pi / 2
        return low_res * math.cos(angle) + noise * math.sin(angle)
    if aug_level.shape != low_res.shape[:1]:
        raise ValueError(f"aug_level has shape {tuple(aug_level.shape)}, allowed is {tuple(low_res.shape[:1])}")
    angles = (aug_level.to(low_res) * (math.pi / 2)).view(-1, 1, 1, 1)  # (n, 1, 1, 1)
    return low_res * angles.cos() + noise * angles.sin()


class LowRes(Protocol):
    """How a stage is shown the picture of the stage before."""

    def __call__(self, picture: Tensor, aug_level: float, size: int, draw: Callable[[int], Tensor]) -> Tensor:
        """From a picture (n, 3, h, w) in [-1, 1] to what the U-Net takes beside x_t, (n, 3, size, size).

        draw: standard normal noise on the CPU for pictures of so many pixels a side.
        """


def augment_then_upsample(picture: Tensor, aug_level: float, size: int, draw: Callable[[int], Tensor]) -> Tensor:
    """Noise on the small picture, then enlargement: the noise is as coarse as the picture."""
    return upsample(augment(picture, aug_level, draw(picture.shape[2]).to(picture.device)), size)


def upsample_then_noise(alphas_cumprod: Tensor) -> LowRes:
    """Enlargement with aligned corners, then noise of `noise_level` on the large picture: DeepFloyd IF's way.

    alphas_cumprod: alpha_bar of the noising process, float64 (1000,) on the CPU.
    """

    def condition(picture: Tensor, aug_level: float, size: int, draw: Callable[[int], Tensor]) -> Tensor:
        large = functional.interpolate(picture, size=(size, size), mode="bilinear", align_corners=True)
        alpha_bar = alphas_cumprod[int(noise_level(torch.tensor(aug_level)))].item()
        return large * math.sqrt(alpha_bar) + draw(size).to(picture.device) * math.sqrt(1 - alpha_bar)

    return condition


def upsample(low_res: Tensor, size: int) -> Tensor:
    """Bicubic enlargement (half-pixel centres) of (n, 3, h, w) to (n, 3, size, size).

    The stage's U-Net concatenates the result with x_t along the channels and adds to it what it lacks: a decibel and
    a half less than with bilinear enlargement, on the training scenes.
    """
    return functional.interpolate(low_res, size=(size, size), mode="bicubic", align_corners=False)
