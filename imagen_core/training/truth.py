"""Whether a picture is what its prompt says, and pictures of which that is certain."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace

from imagen_core.training.backgrounds import PLAIN
from imagen_core.training.prompts import Prompt, Said
from imagen_core.training.scenes import STYLES, Scene, compose
from imagen_core.training.sprites import concepts

_MARGIN = 0.1  # of the things' mean size; less than that to the left is not to the left


@dataclass(frozen=True)
class Found:
    """A thing in a picture: its concept's icon, centre and side length as shares of the picture.

    `colour` is the colour word that it was given, "" where it has the colours of its own.
    """

    icon: str
    colour: str
    x: float
    y: float
    size: float

    def is_coloured(self, word: str) -> bool:
        """Whether a colour word fits, the icon's own included."""
        own = next(concept.colour for concept in concepts() if concept.icon == self.icon)
        return (self.colour or own) == word


@dataclass(frozen=True)
class Reading:
    """What is seen in a picture."""

    things: tuple[Found, ...]
    style: str
    background: str


def holds(prompt: Prompt, seen: Reading) -> bool:
    """Whether every clause of a prompt is true of a picture: just these things, so many, where and how it says."""
    said_count: Counter[str] = Counter()
    for said in prompt.things:
        said_count[said.concept.icon] += said.count
    if Counter(found.icon for found in seen.things) != said_count:
        return False
    if not all(found.is_coloured(_colour_of(found, prompt)) for found in seen.things if _colour_of(found, prompt)):
        return False
    if prompt.relation and not _stands(prompt.relation, *(_of(said, seen) for said in prompt.things)):
        return False
    return prompt.style in ("", seen.style) and prompt.background in ("", seen.background)


def _colour_of(found: Found, prompt: Prompt) -> str:
    return next(said.colour for said in prompt.things if said.concept.icon == found.icon)


def _of(said: Said, seen: Reading) -> Found:
    return next(found for found in seen.things if found.icon == said.concept.icon)


def _stands(relation: str, first: Found, second: Found) -> bool:
    """Whether the first stands in the relation to the second, a little to the right being right (as in GenEval)."""
    margin = _MARGIN * (first.size + second.size) / 2
    right, down = first.x - second.x, first.y - second.y
    return {"left": -right, "right": right, "above": -down, "below": down}[relation] > margin


def true_scene(prompt: Prompt, rng: random.Random) -> Scene:
    """A scene of which the prompt is true, placed as in training; what the prompt leaves open is as plain as can be."""
    total = sum(said.count for said in prompt.things)
    while True:
        layout = compose(rng)
        pair = len(prompt.things) == 2
        fits = len(layout.things) == total and bool(layout.relation) == pair
        if fits and prompt.relation in ("", layout.relation):
            break
    saids = [said for said in prompt.things for _ in range(said.count)]
    things = tuple(
        replace(place, concept=said.concept, colour="" if said.colour == said.concept.colour else said.colour)
        for place, said in zip(layout.things, saids, strict=True)
    )
    hidden = {thing.colour for thing in things}  # nothing in its background's colour
    free = [name for name in PLAIN if name not in hidden]
    background = prompt.background or ("white" if "white" in free else rng.choice(free))
    return Scene(things, prompt.style or STYLES[0], background, layout.relation)


def reading_of(scene: Scene) -> Reading:
    """What a faultless eye sees in a scene."""
    things = tuple(Found(thing.concept.icon, thing.colour, thing.x, thing.y, thing.size) for thing in scene.things)
    return Reading(things, scene.style, scene.background)
