"""Scenes: what a picture shows, and its pixels at any size.

A `Scene` is the truth. The same scene can be rendered at 64, 256 and 1024 pixels, whole or a window of it.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor

from imagen_core.training.backgrounds import BACKGROUNDS, PLAIN, paint
from imagen_core.training.colours import COLOURS, recolour
from imagen_core.training.sketch import sketched
from imagen_core.training.sprites import Concept, concepts, sprite

PIXEL_ART = "pixel art"  # the first style again, drawn in so few cells that each can be seen
CELLS = 32  # a side
SKETCH = "sketch"  # the first style again, as drawn with coloured pencils
STYLES = ("flat", "cartoon", PIXEL_ART, SKETCH)  # of ICON_SETS and these; the first is what a prompt without one means
_STYLE_SHARES = (44, 20, 18, 18)  # per cent
NUMBERS = {2: "two", 3: "three", 4: "four"}
RELATIONS = {"left": "to the left of", "right": "to the right of", "above": "above", "below": "below"}
_ALONE = ((0.64, 0.84), (0.26, 0.4), (0.87, 0.96))  # size of a thing alone: the usual, small, big
_ALONE_SHARES = (78, 12, 10)  # per cent
_WHITE, _WHITE_SHARE = ("white",), 0.15  # the background that prompts without one mean, beside what chance brings
HELD_OUT_SHARE = 10  # one in so many combinations is never trained on
_NOT_HELD_OUT = (("count", "socks", "2"),)  # by chance every number of them would be


@dataclass(frozen=True)
class Placed:
    """One thing in a scene: centre (x, y) and side length as shares of the picture, angle in degrees, clockwise.

    `colour` is a colour word where the sprite is recoloured, "" where it has its own colours.
    """

    concept: Concept
    colour: str
    x: float
    y: float
    size: float
    angle: float


@dataclass(frozen=True)
class Scene:
    """The things in a picture, front last, in one style, on a background; `relation` is between its two groups."""

    things: tuple[Placed, ...]
    style: str
    background: str
    relation: str = ""

    @property
    def groups(self) -> list[tuple[Placed, int]]:
        """What a caption counts: the first of the like things that follow each other, and how many there are."""
        alike = (list(group) for _, group in groupby(self.things, key=lambda thing: (thing.concept, thing.colour)))
        return [(group[0], len(group)) for group in alike]


def held_out(*words: str) -> bool:
    """Whether a combination, (concept, colour) say, is kept from training; decided by its hash, for good."""
    digest = hashlib.blake2b("|".join(words).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") % HELD_OUT_SHARE == 0 and words not in _NOT_HELD_OUT


def compose(rng: random.Random) -> Scene:
    """Draw a scene at random, without any combination that is held out."""
    while True:
        (style,) = rng.choices(STYLES, _STYLE_SHARES)
        draw = rng.random()
        if draw < 0.25:
            things, relation = _single(rng), ""
        elif draw < 0.4:
            things, relation = _several(rng), ""
        elif draw < 0.82:
            things, relation = _pair(rng)
        else:
            things, relation = _group_and_one(rng)
        background = rng.choice(_WHITE if rng.random() < _WHITE_SHARE else PLAIN if rng.random() < 0.5 else BACKGROUNDS)
        scene = Scene(things, style, background, relation)
        hidden = any(thing.colour == background for thing in things)  # a blue car on a blue background
        if not hidden and not is_held_out(scene):
            return scene


def is_held_out(scene: Scene) -> bool:
    """Whether any combination in the scene is held out."""
    groups = [(thing.concept.icon, thing.colour, count) for thing, count in scene.groups]
    return (
        (scene.style != STYLES[0] and any(held_out("style", icon, scene.style) for icon, _, _ in groups))
        or any(colour and held_out("colour", icon, colour) for icon, colour, _ in groups)
        or any(count > 1 and held_out("count", icon, str(count)) for icon, _, count in groups)
        or (bool(scene.relation) and held_out("relation", groups[0][0], scene.relation, groups[1][0]))
    )


def _colour(rng: random.Random, concept: Concept, share: float = 0.4) -> str:
    colour = rng.choice(COLOURS) if rng.random() < share else ""
    return "" if colour == concept.colour else colour


def _single(rng: random.Random) -> tuple[Placed, ...]:
    concept = rng.choice(concepts())
    size = rng.uniform(*rng.choices(_ALONE, _ALONE_SHARES)[0])
    free = (1 - size) / 2
    x, y = 0.5 + rng.uniform(-free, free) * 0.7, 0.5 + rng.uniform(-free, free) * 0.7
    return (Placed(concept, _colour(rng, concept), x, y, size, rng.uniform(-6, 6)),)


def _several(rng: random.Random) -> tuple[Placed, ...]:
    concept, count = rng.choice(concepts()), rng.choice(list(NUMBERS))
    colour = _colour(rng, concept)
    centres = {
        2: [(0.27, 0.5), (0.73, 0.5)],
        3: rng.choice([[(0.19, 0.5), (0.5, 0.5), (0.81, 0.5)], [(0.28, 0.3), (0.72, 0.3), (0.5, 0.72)]]),
        4: [(0.27, 0.27), (0.73, 0.27), (0.27, 0.73), (0.73, 0.73)],
    }[count]
    room = 0.29 if centres[0][0] < 0.2 else 0.42
    size = room * rng.uniform(0.85, 1.0)
    return tuple(
        Placed(concept, colour, x + rng.uniform(-0.02, 0.02), y + rng.uniform(-0.03, 0.03), size, rng.uniform(-6, 6))
        for x, y in centres
    )


def _pair(rng: random.Random) -> tuple[tuple[Placed, ...], str]:
    first, second = rng.choice(concepts()), rng.choice(concepts())
    while second is first:
        second = rng.choice(concepts())
    relation = rng.choice(list(RELATIONS))
    near, far = rng.uniform(0.24, 0.29), rng.uniform(0.71, 0.76)
    across = [0.5 + rng.uniform(-0.08, 0.08) for _ in range(2)]
    along = (near, far) if relation in ("left", "above") else (far, near)
    places = list(zip(along, across, strict=True))
    if relation in ("above", "below"):
        places = [(y, x) for x, y in places]
    things = tuple(
        Placed(concept, _colour(rng, concept, 0.65), x, y, rng.uniform(0.38, 0.46), rng.uniform(-6, 6))
        for concept, (x, y) in zip((first, second), places, strict=True)
    )
    return things, relation


def _group_and_one(rng: random.Random) -> tuple[tuple[Placed, ...], str]:
    """A pair of which one is two or three of a kind, in a row: "three blue stars above a green turtle"."""
    pair, relation = _pair(rng)
    count, grouped = rng.choice([2, 3]), rng.randrange(2)
    one = pair[grouped]
    size = 0.29 * rng.uniform(0.85, 1.0)
    row = []
    for place in [0.27, 0.73] if count == 2 else [0.19, 0.5, 0.81]:
        across, along = place + rng.uniform(-0.02, 0.02), rng.uniform(-0.03, 0.03)
        x, y = (across, one.y + along) if relation in ("above", "below") else (one.x + along, across)
        row.append(replace(one, x=x, y=y, size=size, angle=rng.uniform(-6, 6)))
    return ((*row, pair[1]) if grouped == 0 else (pair[0], *row)), relation


def render(scene: Scene, size: int, window: tuple[float, float, float] = (0.0, 0.0, 1.0)) -> Tensor:
    """Pixels (3, size, size) in [-1, 1] of the window (left, top, side; shares of the picture) of a scene."""
    if scene.style == PIXEL_ART:
        return _in_cells(replace(scene, style=STYLES[0]), size, window)
    if scene.style == SKETCH:
        return sketched(partial(render, replace(scene, style=STYLES[0])), size, window)
    left, top, side = window
    picture = paint(scene.background, size, window)  # (3, size, size) in [0, 1]
    for thing in scene.things:
        wanted = thing.size * size / side  # pixels of the sprite's side
        level = next((level for level in (64, 128, 256, 512) if level >= wanted * 0.75), 1024)
        rgba = sprite(thing.concept.icon, scene.style, level)
        if thing.colour:
            rgba = recolour(rgba, thing.colour)
        # From the window's coordinates in [-1, 1] to the sprite's.
        angle = torch.tensor(thing.angle).deg2rad()
        turn = torch.stack([torch.stack([angle.cos(), angle.sin()]), torch.stack([-angle.sin(), angle.cos()])])
        centre = torch.tensor([left + side / 2 - thing.x, top + side / 2 - thing.y]) * 2 / thing.size
        theta = torch.cat([turn * (side / thing.size), (turn @ centre)[:, None]], dim=1)
        grid = F.affine_grid(theta[None], [1, 4, size, size], align_corners=False)
        layer = F.grid_sample(rgba[None], grid, padding_mode="zeros", align_corners=False)[0]
        picture = picture * (1 - layer[3:]) + layer[:3]
    return picture.clamp(0, 1) * 2 - 1


def _in_cells(scene: Scene, size: int, window: tuple[float, float, float]) -> Tensor:
    """The same as `render`, each of CELLS x CELLS cells of the whole picture in the mean colour of what it shows."""
    left, top, side = window
    cells = F.avg_pool2d(render(scene, 4 * CELLS), 4)  # (3, CELLS, CELLS)
    place = (torch.arange(size) + 0.5) / size * side * CELLS
    rows, columns = ((place + edge * CELLS).long() for edge in (top, left))
    return cells[:, rows][:, :, columns]
