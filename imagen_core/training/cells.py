"""Whether a picture is drawn in cells, as pixel art is: measured, because the detector learns from blurred pictures."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from imagen_core.training.scenes import CELLS

_NOTHING = 1e-5  # a variance that no eye sees
LIMIT = 0.2  # drawn pixel art has about 0.08, of 611 other real renders none less than 0.41


def unevenness(pictures: Tensor) -> Tensor:
    """(n,): how much (n, 3, h, w) varies inside of its CELLS x CELLS cells, by how much in others half a cell off.

    0 in perfect pixel art, about 1 where nothing tells the one grid from the other.
    """
    side = pictures.shape[-1] // CELLS
    half = side // 2
    shifted = pictures[..., half : half - side, half : half - side]
    own, other = (_within(each, side) for each in (pictures, shifted))
    return (own + _NOTHING) / (other + _NOTHING)


def _within(pictures: Tensor, side: int) -> Tensor:
    """(n,): the mean variance inside of blocks of `side` pixels."""
    mean = F.avg_pool2d(pictures, side)
    return (F.avg_pool2d(pictures**2, side) - mean**2).mean((1, 2, 3))
