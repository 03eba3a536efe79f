"""Colour words, and how a sprite takes another colour."""

from __future__ import annotations

import torch
from torch import Tensor

# Dark, middle and light tone of each colour word, sRGB. Those of black, gray and white do not overlap, so that what is
# mostly light or mostly dark can be told apart in them, too.
TONES = {
    "red": ((96, 6, 16), (224, 36, 40), (255, 170, 160)),
    "orange": ((122, 50, 0), (246, 130, 20), (255, 212, 150)),
    "yellow": ((130, 96, 0), (250, 204, 30), (255, 242, 170)),
    "green": ((6, 66, 24), (52, 168, 72), (180, 232, 176)),
    "blue": ((10, 30, 104), (40, 104, 226), (168, 208, 255)),
    "purple": ((48, 12, 92), (138, 62, 200), (216, 180, 246)),
    "pink": ((136, 20, 84), (246, 110, 176), (255, 206, 230)),
    "brown": ((50, 24, 8), (128, 76, 40), (186, 138, 96)),
    "black": ((0, 0, 0), (34, 34, 38), (84, 84, 90)),
    "white": ((178, 182, 190), (228, 230, 234), (255, 255, 255)),
    "gray": ((88, 90, 95), (134, 138, 144), (186, 190, 195)),
}
COLOURS = tuple(TONES)


def recolour(rgba: Tensor, colour: str) -> Tensor:
    """Repaint premultiplied (4, h, w) in the tones of a colour word; light and dark stay where they are.

    The sprite's brightness, stretched from its 5th to its 95th percentile, chooses between the three tones; a sprite
    of one flat colour takes the middle tone.
    """
    alpha = rgba[3:]
    luma = torch.tensor([0.299, 0.587, 0.114]) @ (rgba[:3] / alpha.clamp(min=1e-3)).flatten(1)  # (h w,)
    visible = luma[(alpha.flatten() > 0.5)][::7].sort().values
    low, high = visible[int(0.05 * len(visible))], visible[int(0.95 * (len(visible) - 1))]
    half_range = (high - low).clamp(min=0.4) / 2
    place = (1 + (luma - (low + high) / 2) / half_range).clamp(0, 2)  # 0 dark, 1 middle, 2 light
    dark, middle, light = (torch.tensor(tone)[:, None] / 255 for tone in TONES[colour])
    tone = torch.where(place < 1, dark + (middle - dark) * place, middle + (light - middle) * (place - 1))
    return torch.cat([tone.view_as(rgba[:3]) * alpha, alpha])
