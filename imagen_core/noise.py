"""Gaussian noise keyed by position: a pure function of (seed + image index, stage, purpose, step).

So image i does not depend on how many images are drawn with it, changing one stage's settings does not shift the noise
of another, a run can be repeated from a link, and nothing needs a stored generator state. Noise is float32 and drawn on
the CPU whatever the device, with one generator per image.

Between the noise of two seeds lies, by spherical interpolation, noise that is as loud as theirs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, TypeAlias

import torch
from torch import Generator, Tensor

from imagen_core.variation import Other

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
    """All the noise of one stage's images, each `size` x `size` pixels, or latents of so many channels.

    other: another seed, of whose noise there is a share. Then the images are neighbours of one picture: they have
        `seed` in common, and image i has a share of the noise of the other seed + i.
    """

    seed: int
    stage: str
    num_images: int
    size: int
    other: Other | None = None
    channels: int = 3

    def initial(self) -> Tensor:
        """x_T, (num_images, channels, size, size)."""
        return self._pictures("initial", (self.channels, self.size, self.size))

    def augmentation(self, size: int) -> Tensor:
        """What noise conditioning augmentation adds to the images of the stage before, (num_images, 3, size, size)."""
        return self._pictures("augmentation", (3, size, size))

    def generators(self, step: int) -> list[Generator]:
        """One generator per image for what a stochastic scheduler adds at `step`.

        It is that of `seed` whatever the share of another one: neighbours differ in what they begin with, and are the
        nearer to each other for having the same noise on their way.
        """
        return [generator(self.seed, self._image(image), self.stage, "step", step) for image in range(self.num_images)]

    def _pictures(self, purpose: Purpose, shape: tuple[int, ...]) -> Tensor:
        return torch.stack([self._picture(purpose, shape, image) for image in range(self.num_images)])  # (n, *shape)

    def _picture(self, purpose: Purpose, shape: tuple[int, ...], image: int) -> Tensor:
        noise = gaussian_noise(self.seed, self._image(image), self.stage, purpose, shape)
        if self.other is None:
            return noise
        return slerp(noise, gaussian_noise(int(self.other.end), image, self.stage, purpose, shape), self.other.share)

    def _image(self, image: int) -> int:
        """How far the seed of an image is from `seed`."""
        return image if self.other is None else 0


def slerp(first: Tensor, second: Tensor, share: float) -> Tensor:
    """Spherical interpolation between two noises of one shape; at share 0 exactly the first, at 1 exactly the second.

    The straight way between two independent noises passes through one with half their variance, which a denoiser takes
    for another timestep; along the great circle (Shoemake 1985) the variance stays.
    """
    cosine = torch.nn.functional.cosine_similarity(first.double().flatten(), second.double().flatten(), dim=0)
    angle = torch.arccos(cosine.clamp(-1, 1)).item()
    if share in (0, 1) or angle < 1e-6:  # nearly one noise: the two formulas meet
        return second if share == 1 else first
    before, after = (math.sin(part * angle) / math.sin(angle) for part in (1 - share, share))
    return first * before + second * after
