"""The sketch: a picture drawn again with coloured pencils, the same at every size and in every window.

Strokes lie over what is coloured and follow the place in the picture; an outline goes where colours change within a
pencil's width.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

REACH = 1 / 128  # half a pencil's width, as a share of the picture's side
_STROKES = 20  # along a side
_PAPER, _LEAD = 0.97, 0.13  # brightness of the ground and of the outline
_FIRST, _FULL = 0.12, 0.45  # change of colour where an outline begins and where it is full


def sketched(
    draw: Callable[[int, tuple[float, float, float]], Tensor], size: int, window: tuple[float, float, float]
) -> Tensor:
    """Pixels (3, size, size) in [-1, 1] of the window (left, top, side; shares of the picture).

    draw: gives the picture in its own colours, (3, pixels, pixels) in [-1, 1] of any window; it is asked for a little
    more than the window, because an outline just outside reaches into it.
    """
    left, top, side = window
    reach = max(1, round(REACH * size / side))  # pixels
    more = reach * side / size
    seen = draw(size + 2 * reach, (left - more, top - more, side + 2 * more)) / 2 + 0.5
    change = (_highest(seen, reach) + _highest(-seen, reach)).amax(dim=0)  # (size, size)
    outline = ((change - _FIRST) / (_FULL - _FIRST)).clamp(0, 1)
    colour = seen[:, reach:-reach, reach:-reach]
    place = (torch.arange(size) + 0.5) / size * side
    x, y = (left + place)[None, :], (top + place)[:, None]
    waver = 0.25 * torch.sin(2 * math.pi * 1.5 * (x - y))  # no hand draws straight
    stroke = 0.5 + 0.5 * torch.sin(2 * math.pi * (_STROKES * (x + y) + waver))
    share = 0.5 + 0.35 * stroke  # of the colour that lies on the paper
    filled = _PAPER + (colour - _PAPER) * share
    drawn = filled + (_LEAD - filled) * 0.85 * outline
    return drawn.clamp(0, 1) * 2 - 1


def _highest(values: Tensor, reach: int) -> Tensor:
    """(c, h, w) to (c, h - 2 reach, w - 2 reach): the highest value in a rough disc of so many pixels around each.

    Steps to all eight neighbours and steps to four add up to an octagon.
    """
    square = (3 * reach + 4) // 5
    for step in range(reach):
        if step < square:
            values = F.max_pool2d(values[None], 3, stride=1)[0]
        else:
            down, across = (
                F.max_pool2d(values[None], (3, 1), stride=1)[0],
                F.max_pool2d(values[None], (1, 3), stride=1)[0],
            )
            values = torch.maximum(down[..., 1:-1], across[:, 1:-1])
    return values
