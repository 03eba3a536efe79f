"""The same scene as other words would have it, so that a super-resolution stage learns whom to believe.

A stage whose low-resolution picture always agrees with its prompt learns to look at the picture alone, and a second
prompt changes nothing (figure A.12 of arXiv 2205.11487 shows that it should). So some of its low-resolution pictures,
of those that are noised, are drawn of the scene as `restyled` has it, with the same things at the same places.
"""

from __future__ import annotations

import random
from dataclasses import replace

from imagen_core.training.backgrounds import BACKGROUNDS
from imagen_core.training.colours import COLOURS
from imagen_core.training.scenes import PIXEL_ART, SKETCH, STYLES, Scene

FROM = 0.25  # aug_level above which the prompt wins
SAME_SHAPES = (STYLES[0], PIXEL_ART, SKETCH)  # styles in which a thing has the same outline


def restyled(scene: Scene, rng: random.Random) -> Scene:
    """Its things in another colour, another style of the same shapes, or another background.

    Colours are what is hardest to learn, so they come most often; only of things whose colour a caption says.
    """
    draw = rng.random()
    coloured = [thing for thing in scene.things if thing.colour]
    if draw < 0.7 and coloured:
        chosen = rng.choice(coloured)
        alike = [thing.concept is chosen.concept for thing in scene.things]
        shown = {scene.background, chosen.colour, chosen.concept.colour}
        colour = rng.choice([word for word in COLOURS if word not in shown])
        things = (
            replace(thing, colour=colour) if mine else thing for thing, mine in zip(scene.things, alike, strict=True)
        )
        return replace(scene, things=tuple(things))
    if rng.random() < 0.6 and scene.style in SAME_SHAPES:
        return replace(scene, style=rng.choice([style for style in SAME_SHAPES if style != scene.style]))
    shown = {scene.background, *(thing.colour for thing in scene.things)}
    return replace(scene, background=rng.choice([name for name in BACKGROUNDS if name not in shown]))
