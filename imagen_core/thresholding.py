"""Thresholding of x_0 after guidance: none, static and dynamic (section 2.3 of arXiv 2205.11487).

A large guidance scale drives x_0 out of [-1, 1], where no training image ever was. Static thresholding clips it.
Dynamic thresholding finds s, a percentile of |x_0| in the picture, clips to [-s, s] and divides by s, which pulls
saturated pixels inwards instead of flattening them. Where s < 1 the paper uses 1, so the result always lies in [-1, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from imagen_core.stage_recipe import THRESHOLDINGS

_MANY = 1_000_000  # numbers from which on a lower bound from a sub-sample saves time
_STRIDE = 61  # of the sub-sample; a prime, so that it falls on all channels and columns


@dataclass(frozen=True)
class Thresholding:
    """Kind of thresholding and, for "dynamic", the percentile of |x_0| in (0, 100] and the largest s, None for any.

    The paper has no largest s; DeepFloyd IF has 1.5 in its first stage and 1.0, which is static, in the next.

    Raises:
        ValueError: the kind is none of `THRESHOLDINGS`, or the percentile or the cap is out of range.
    """

    kind: str
    percentile: float = 99.5
    cap: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in THRESHOLDINGS:
            raise ValueError(f"thresholding is {self.kind!r}, allowed are {', '.join(THRESHOLDINGS)}")
        if not 0 < self.percentile <= 100:
            raise ValueError(f"percentile is {self.percentile!r}, allowed is above 0 and up to 100")
        if self.cap is not None and not self.cap >= 1:
            raise ValueError(f"the cap of s is {self.cap!r}, allowed is 1 and above")


@dataclass(frozen=True)
class Thresholded:
    """`x_0` after thresholding and, per image, s as it was found (1.0 unless "dynamic") and the clipped share."""

    x_0: Tensor
    s: tuple[float, ...]
    clipped_share: tuple[float, ...]


def threshold(x_0: Tensor, thresholding: Thresholding) -> Thresholded:
    """Threshold finite x_0 (n, 3, h, w), each image by itself; the input is not written to."""
    ones = (1.0,) * len(x_0)
    if thresholding.kind == "none":
        return Thresholded(x_0, ones, (0.0,) * len(x_0))
    if thresholding.kind == "static":
        clipped = x_0.clamp(-1, 1)
        moved = (torch.count_nonzero(image).item() for image in clipped != x_0)  # half the time of a sum
        return Thresholded(clipped, ones, tuple(count / x_0[0].numel() for count in moved))
    images, found, shares = [], [], []
    for image in torch.split(x_0, 1):
        magnitude = image.abs()
        s = _percentile(magnitude, thresholding.percentile)
        bound = max(s, 1.0) if thresholding.cap is None else min(max(s, 1.0), thresholding.cap)
        images.append(image.clamp(-bound, bound) / bound)
        found.append(s)
        shares.append(torch.count_nonzero(magnitude > bound).item() / magnitude.numel())
    return Thresholded(images[0] if len(images) == 1 else torch.cat(images), tuple(found), tuple(shares))


def _percentile(magnitude: Tensor, percentile: float) -> float:
    """Exact percentile of a (1, 3, h, w) picture's numbers, linear between neighbours as NumPy and torch define it.

    `torch.quantile` sorts: 17 ms at 256 x 256 and 320 ms at 1024 x 1024, against about 2 and 10 ms for selecting.
    """
    values = _flat(magnitude)
    rank = percentile / 100 * (len(values) - 1)
    index = math.floor(rank)
    lower, upper = _neighbours(values, index) if len(values) < _MANY else _neighbours_of_many(values, index)
    return lower + (rank - index) * (upper - lower)


def _flat(picture: Tensor) -> Tensor:
    """All numbers of a (1, 3, h, w) picture in the order of its memory: a view for both memory formats."""
    return (picture if picture.is_contiguous() else picture.permute(0, 2, 3, 1)).reshape(-1)


def _neighbours(values: Tensor, index: int) -> tuple[float, float]:
    """Order statistics number `index` and `index + 1`, counted from 0; the last one twice at the end."""
    lower = values.kthvalue(index + 1).values
    above = values > lower
    if index + 1 >= len(values) or len(values) - int(torch.count_nonzero(above)) > index + 1:
        return lower.item(), lower.item()
    return lower.item(), values[above].min().item()


def _neighbours_of_many(values: Tensor, index: int) -> tuple[float, float]:
    """As `_neighbours`, but selecting only among the numbers above a lower bound, which a sub-sample gives."""
    sample = values[::_STRIDE]
    rank = index // _STRIDE - 4 * math.isqrt(len(sample))  # far below: eight standard deviations for random numbers
    if rank > 0:
        upper = values[values >= sample.kthvalue(rank).values]
        below = len(values) - len(upper)
        if below <= index:
            return _neighbours(upper, index - below)
    return _neighbours(values, index)
