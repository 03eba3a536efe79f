"""Pixel art is told from other pictures by its cells."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from imagen_core.training.cells import LIMIT, unevenness
from imagen_core.training.scenes import CELLS


def smooth(count: int, size: int) -> torch.Tensor:
    """Pictures of soft shapes, as little noise in them as drawn ones have."""
    generator = torch.Generator().manual_seed(0)
    shapes = torch.randn(count, 3, 9, 9, generator=generator)
    soft = F.interpolate(shapes, size=size, mode="bicubic")
    return soft + 0.02 * torch.randn(soft.shape, generator=generator)


@pytest.mark.parametrize("size", [64, 256])
def test_pictures_in_cells_are_told_from_others(size: int) -> None:
    pictures = smooth(20, size)
    cells = F.interpolate(F.adaptive_avg_pool2d(pictures, CELLS), size=size)
    assert float(unevenness(cells).max()) == pytest.approx(0, abs=1e-2)
    noisy = cells + 0.02 * torch.randn(cells.shape, generator=torch.Generator().manual_seed(1))
    assert float(unevenness(noisy).max()) < LIMIT
    assert float(unevenness(pictures).min()) > LIMIT
    moved = cells.roll((size // CELLS // 2,) * 2, dims=(2, 3))  # cells, but not where pixel art has them
    assert float(unevenness(moved).min()) > 1


def test_an_even_picture_is_not_pixel_art_for_want_of_anything_to_measure() -> None:
    assert unevenness(torch.zeros(2, 3, 64, 64)).tolist() == [1, 1]
