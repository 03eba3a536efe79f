"""Real renders with labels for the detector to learn from.

The scenes are freer than the corpus: any thing in any colour and style, held-out combinations too, mixed things in one
picture, any place and size, so that what the detector sees is not guessed from what usually stands there. Blur, noise
and small shifts of colour stand for what a diffusion model leaves behind.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from imagen_core.training.backgrounds import BACKGROUNDS
from imagen_core.training.colours import COLOURS
from imagen_core.training.config import CONFIGS
from imagen_core.training.corpus import picture
from imagen_core.training.detector import PAINTS
from imagen_core.training.scenes import STYLES, Placed, Scene, compose
from imagen_core.training.sprites import concepts

_PAINTED = 0.65  # share of things in another colour, which are the hardest to tell apart


@dataclass(frozen=True)
class Labelled:
    """Pictures uint8 (n, 3, 64, 64), backgrounds (n,), styles (n,), and their m things.

    things: float (m, 3), x, y and side length; names: int (m, 4), row of the picture, concept, paint, style.
    """

    pictures: Tensor
    backgrounds: Tensor
    styles: Tensor
    things: Tensor
    names: Tensor


def any_scene(rng: random.Random) -> Scene:
    """A scene of anything anywhere: most of them placed as in the corpus, the others freely."""
    layout = compose(rng)
    places = layout.things if rng.random() < 0.6 else _free(rng)
    background, alike = rng.choice(BACKGROUNDS), rng.random() < 0.4
    things: list[Placed] = []
    for place in places:
        concept = things[0].concept if things and alike else rng.choice(concepts())
        colour = rng.choice(COLOURS) if rng.random() < _PAINTED else ""
        colour = things[0].colour if things and alike else colour
        fits = colour not in (background, concept.colour)
        things.append(replace(place, concept=concept, colour=colour if fits else ""))
    return Scene(tuple(things), rng.choice(STYLES), background)


def _free(rng: random.Random) -> tuple[Placed, ...]:
    """One to five places that hardly overlap; one, which is the hardest to find whole, comes four times as often."""
    wanted, places = rng.choice((1, 1, 1, 1, 2, 3, 4, 5)), list[Placed]()
    for _ in range(60):
        if len(places) == wanted:
            break
        size = rng.uniform(0.3, 0.96) if wanted == 1 else rng.uniform(0.2, 0.5)
        x, y = (rng.uniform(size / 2, 1 - size / 2) for _ in range(2))
        if all(max(abs(x - p.x), abs(y - p.y)) > 0.45 * (size + p.size) for p in places):
            places.append(Placed(concepts()[0], "", x, y, size, rng.uniform(-8, 8)))
    return tuple(places)


def labelled(count: int, seed: int) -> Labelled:
    """Render `count` scenes."""
    rng = random.Random(seed)
    icons = {concept.icon: index for index, concept in enumerate(concepts())}
    pictures = torch.empty(count, 3, 64, 64, dtype=torch.uint8)
    backgrounds, styles = (torch.empty(count, dtype=torch.long) for _ in range(2))
    things, names = [], []
    started = time.monotonic()
    for row in range(count):
        scene = any_scene(rng)
        pictures[row] = ((picture(scene, CONFIGS["base"], rng) + 1) * 127.5).round().byte()
        backgrounds[row] = BACKGROUNDS.index(scene.background)
        styles[row] = style = STYLES.index(scene.style)
        for thing in scene.things:
            things.append([thing.x, thing.y, thing.size])
            names.append([row, icons[thing.concept.icon], PAINTS.index(thing.colour), style])
        if row % 1000 == 999:
            print(f"detector: {row + 1} of {count} pictures, {time.monotonic() - started:.0f} s", flush=True)
    return Labelled(pictures, backgrounds, styles, torch.tensor(things), torch.tensor(names))


def disturbed(pictures: Tensor) -> Tensor:
    """Pictures in [-1, 1] with blur, noise and a shift of colour, each of a random strength."""
    n = len(pictures)
    blurred = F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    halved = F.interpolate(F.avg_pool2d(pictures, 2), scale_factor=2.0, mode="bilinear")
    soft = torch.where(torch.rand(n, 1, 1, 1) < 0.5, blurred, halved)
    mixed = pictures.lerp(soft, torch.rand(n, 1, 1, 1).sub(0.3).clamp(min=0) / 0.7)
    gain, shift = 1 + 0.08 * torch.randn(n, 3, 1, 1), 0.04 * torch.randn(n, 3, 1, 1)
    noise = torch.randn_like(mixed) * torch.rand(n, 1, 1, 1) * 0.15
    return (mixed * gain + shift + noise).clamp(-1, 1)
