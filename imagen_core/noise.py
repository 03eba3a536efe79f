"""Gaussian noise keyed by position: a pure function of (seed + image index, stage, purpose, step).

So image i does not depend on how many images are drawn with it, changing one stage's settings does not shift the noise
of another, a run can be repeated from a link, and nothing needs a stored generator state. Noise is float32 and drawn on
the CPU whatever the device, with one generator per image.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, TypeAlias

import torch
from torch import Generator, Tensor

Purpose: TypeAlias = Literal["initial", "step", "augmentation"]


def generator(seed: int, image: int, stage: str, purpose: Purpose, step: int = 0) -> Generator:
    """A fresh CPU generator for one image and one use of noise.

    Args:
        seed: the stage's seed, 0 ... 2**32 - 1.
        image: index of the image; image i of seed s is image 0 of seed s + i (modulo 2**32).
        stage: "base", "sr256" or "sr1024".
        purpose: "initial" (x_T), "step" (what a stochastic scheduler adds) or "augmentation" (section 2.4).
        step: index of the denoising step, where there is one.
    """
    key = f"{(seed + image) % 2**32} {stage} {purpose} {step}".encode()
    digest = blake2b(key, digest_size=8, person=b"imagen noise 1").digest()
    return Generator().manual_seed(int.from_bytes(digest[:4], "little"))  # 32 bits: a CPU generator uses no more


def gaussian_noise(seed: int, image: int, stage: str, purpose: Purpose, shape: tuple[int, ...]) -> Tensor:
    """Standard normal noise of one image, float32 on the CPU; arguments as for `generator`."""
    return torch.randn(shape, generator=generator(seed, image, stage, purpose))


@dataclass(frozen=True)
class StageNoise:
    """All the noise of one stage's images, each `size` x `size` pixels."""

    seed: int
    stage: str
    num_images: int
    size: int

    def initial(self) -> Tensor:
        """x_T, (num_images, 3, size, size)."""
        return self._pictures("initial", self.size)

    def augmentation(self, size: int) -> Tensor:
        """What noise conditioning augmentation adds to the images of the stage before, (num_images, 3, size, size)."""
        return self._pictures("augmentation", size)

    def generators(self, step: int) -> list[Generator]:
        """One generator per image for what a stochastic scheduler adds at `step`."""
        return [generator(self.seed, image, self.stage, "step", step) for image in range(self.num_images)]

    def _pictures(self, purpose: Purpose, size: int) -> Tensor:
        images = range(self.num_images)
        pictures = [gaussian_noise(self.seed, image, self.stage, purpose, (3, size, size)) for image in images]
        return torch.stack(pictures)  # (n, 3, size, size)
