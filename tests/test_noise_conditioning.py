"""Noise conditioning augmentation and the enlargement that goes before the super-resolution stages."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from imagen_core.noise_conditioning import augment, upsample

LOW_RES = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
NOISE = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_ends_are_the_picture_and_the_noise() -> None:
    assert torch.equal(augment(LOW_RES, 0.0, NOISE), LOW_RES)
    assert torch.allclose(augment(LOW_RES, 1.0, NOISE), NOISE, atol=1e-7)


def test_the_mix_follows_the_cosine() -> None:
    expected = math.cos(0.3 * math.pi / 2) * LOW_RES + math.sin(0.3 * math.pi / 2) * NOISE
    assert torch.allclose(augment(LOW_RES, 0.3, NOISE), expected, atol=1e-6)


def test_variance_is_preserved() -> None:
    generator = torch.Generator().manual_seed(2)
    signal, noise = torch.randn(2, 1, 3, 128, 128, generator=generator)
    for level in (0.1, 0.5, 0.9):
        assert augment(signal, level, noise).std() == pytest.approx(1, abs=0.01)


def test_a_level_for_each_picture_is_the_same_as_one_by_one() -> None:
    levels = torch.tensor([0.0, 0.3, 1.0])
    together = augment(LOW_RES, levels, NOISE)
    for image, level in enumerate(levels.tolist()):
        alone = augment(LOW_RES[image : image + 1], level, NOISE[image : image + 1])
        assert torch.allclose(together[image], alone[0], atol=1e-6)


@pytest.mark.parametrize("level", [-0.01, 1.01, math.nan, math.inf])
def test_a_level_outside_its_range_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="allowed is 0 to 1"):
        augment(LOW_RES, level, NOISE)


def test_levels_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"allowed is \(3,\)"):
        augment(LOW_RES, torch.zeros(2), NOISE)


def cubic(distance: Tensor) -> Tensor:
    """Keys' kernel with a = -0.75 (doi 10.1109/TASSP.1981.1163711, equation 4)."""
    d = distance.abs()
    near = 1.25 * d**3 - 2.25 * d**2 + 1
    far = -0.75 * (d**3 - 5 * d**2 + 8 * d - 4)
    return torch.where(d <= 1, near, torch.where(d < 2, far, torch.zeros_like(d)))


def test_enlargement_is_bicubic_with_half_pixel_centres() -> None:
    generator = torch.Generator().manual_seed(0)
    row = torch.rand(16, generator=generator) * 2 - 1
    large = upsample(row.expand(1, 3, 16, 16), 64)
    assert large.shape == (1, 3, 64, 64)
    places = (torch.arange(64) + 0.5) / 4 - 0.5  # where a large pixel's centre lies among the small ones
    padded = torch.cat([row[:1].expand(3), row, row[-1:].expand(3)])
    expected = cubic(places[:, None] - torch.arange(-3, 19)) @ padded
    assert torch.allclose(large[0, 0, 5], expected, atol=1e-5)
    assert torch.allclose(upsample(LOW_RES, 16), LOW_RES)
