"""Backgrounds as functions of the place in the picture, so that they are the same at every size and in every window."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

_Step: TypeAlias = Callable[[Tensor], Tensor]

_PLAIN = {
    "white": (255, 255, 255),
    "gray": (186, 190, 196),
    "black": (24, 24, 28),
    "blue": (150, 200, 250),
    "green": (168, 220, 160),
    "yellow": (253, 232, 140),
    "pink": (252, 198, 220),
    "orange": (253, 190, 120),
    "purple": (206, 178, 240),
}
PLAIN = tuple(_PLAIN)
BACKGROUNDS = (*PLAIN, "sky", "sunset", "night", "meadow", "beach", "snow", "desert", "table", "water")


def _rgb(*tone: int) -> Tensor:
    return torch.tensor(tone, dtype=torch.float32)[:, None, None] / 255


def _blend(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    return a + (b - a) * share


def paint(name: str, size: int, window: tuple[float, float, float] = (0.0, 0.0, 1.0)) -> Tensor:
    """Pixels (3, size, size) in [0, 1] of the window (left, top, side; shares of the picture) of a background."""
    left, top, side = window
    place = (torch.arange(size) + 0.5) / size * side
    x, y = (left + place)[None, :], (top + place)[:, None]
    pixel = side / size
    if name in _PLAIN:
        return _rgb(*_PLAIN[name]).expand(3, size, size).clone()

    def step(value: Tensor) -> Tensor:  # 0 to 1 across one pixel around value = 0
        return (value / pixel + 0.5).clamp(0, 1)

    painted = _SCENERY[name](x, y, step)
    return painted.expand(3, size, size).clamp(0, 1)  # gradients run on behind their area, a little out of range


def _sky(x: Tensor, y: Tensor, step: _Step) -> Tensor:
    sky = _blend(_rgb(88, 168, 240), _rgb(206, 234, 252), y)
    for cx, cy, r in (
        (0.16, 0.17, 0.07),
        (0.25, 0.14, 0.09),
        (0.34, 0.18, 0.06),
        (0.74, 0.84, 0.07),
        (0.84, 0.81, 0.09),
    ):
        sky = _blend(sky, _rgb(250, 253, 255), step(r - ((x - cx) ** 2 + 1.8 * (y - cy) ** 2).sqrt()))
    return sky


def _sunset(x: Tensor, y: Tensor, step: _Step) -> Tensor:
    sky = torch.where(
        y < 0.5,
        _blend(_rgb(84, 58, 132), _rgb(240, 110, 96), y * 2),
        _blend(_rgb(240, 110, 96), _rgb(255, 206, 120), y * 2 - 1),
    )
    return _blend(sky, _rgb(70, 44, 84), step(y - 0.86 - 0.02 * torch.sin(x * 9)))


def _night(x: Tensor, y: Tensor, step: _Step) -> Tensor:
    sky = _blend(_rgb(10, 14, 46), _rgb(38, 44, 104), y)
    for k in range(26):
        cx, cy, r = (k * 0.618034) % 1.0, (k * 0.381966 + 0.07 * (k % 3)) % 1.0, 0.006 + 0.005 * (k % 3)
        sky = _blend(sky, _rgb(255, 246, 200), step(r - ((x - cx) ** 2 + (y - cy) ** 2).sqrt()))
    return sky


def _meadow(x: Tensor, y: Tensor, step: _Step) -> Tensor:
    sky = _blend(_rgb(130, 198, 248), _rgb(220, 240, 252), y * 1.6)
    far = _blend(sky, _rgb(140, 204, 110), step(y - 0.56 + 0.05 * torch.sin(x * 5 + 1)))
    return _blend(
        far, _blend(_rgb(112, 186, 76), _rgb(70, 146, 56), (y - 0.6) * 2), step(y - 0.68 + 0.03 * torch.sin(x * 4))
    )


def _beach(x: Tensor, y: Tensor, step: _Step) -> Tensor:
    sky = _blend(_rgb(142, 208, 250), _rgb(224, 244, 253), y * 2)
    sea = _blend(sky, _blend(_rgb(36, 132, 200), _rgb(92, 196, 214), (y - 0.4) * 4), step(y - 0.42))
    return _blend(
        sea,
        _blend(_rgb(250, 226, 164), _rgb(232, 196, 124), (y - 0.62) * 2.5),
        step(y - 0.64 - 0.02 * torch.sin(x * 7)),
    )


def _snow(x: Tensor, y: Tensor, step: _Step) -> Tensor:
    sky = _blend(_rgb(168, 198, 226), _rgb(222, 234, 244), y * 1.6)
    ground = _blend(
        sky, _blend(_rgb(250, 252, 255), _rgb(212, 226, 242), (y - 0.6) * 2), step(y - 0.62 + 0.04 * torch.sin(x * 4.5))
    )
    for k in range(22):
        cx, cy, r = (k * 0.618034 + 0.2) % 1.0, (k * 0.271 + 0.03) % 1.0, 0.008 + 0.003 * (k % 3)
        ground = _blend(ground, _rgb(255, 255, 255), step(r - ((x - cx) ** 2 + (y - cy) ** 2).sqrt()))
    return ground


def _desert(x: Tensor, y: Tensor, step: _Step) -> Tensor:
    sky = _blend(_rgb(250, 214, 150), _rgb(254, 238, 204), y * 1.6)
    far = _blend(sky, _rgb(236, 180, 104), step(y - 0.55 - 0.06 * torch.sin(x * 6)))
    return _blend(
        far,
        _blend(_rgb(222, 156, 80), _rgb(196, 128, 60), (y - 0.66) * 2.5),
        step(y - 0.7 + 0.05 * torch.sin(x * 4.2 + 1)),
    )


def _table(x: Tensor, y: Tensor, step: _Step) -> Tensor:
    wall = _blend(_rgb(238, 228, 212), _rgb(224, 210, 190), y)
    grain = 0.5 + 0.5 * torch.sin(y * 150 + 3 * torch.sin(x * 7))
    wood = _blend(_rgb(176, 116, 66), _rgb(192, 132, 78), grain)
    for edge in (0.70, 0.80, 0.91):
        wood = _blend(wood, _rgb(128, 80, 42), step(0.004 - (y - edge).abs()))
    return _blend(wall, wood, step(y - 0.58))


def _water(x: Tensor, y: Tensor, step: _Step) -> Tensor:
    sky = _blend(_rgb(170, 216, 246), _rgb(226, 242, 252), y * 2)
    sea = _blend(_rgb(58, 150, 214), _rgb(22, 92, 166), (y - 0.5) * 2)
    for k in range(6):
        crest = 0.56 + 0.08 * k
        sea = _blend(sea, _rgb(130, 200, 236), step(0.004 - (y - crest - 0.008 * torch.sin(x * 24 + k)).abs()))
    return _blend(sky, sea, step(y - 0.48))


_SCENERY: dict[str, Callable[[Tensor, Tensor, _Step], Tensor]] = {
    "sky": _sky,
    "sunset": _sunset,
    "night": _night,
    "meadow": _meadow,
    "beach": _beach,
    "snow": _snow,
    "desert": _desert,
    "table": _table,
    "water": _water,
}
