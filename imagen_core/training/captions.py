"""Captions of scenes: a caption says a part of what a scene shows and never anything else.

So whether a model drew what its prompt says can be measured.
"""

from __future__ import annotations

import random

from imagen_core.training.backgrounds import PLAIN
from imagen_core.training.scenes import NUMBERS, RELATIONS, STYLES, Placed, Scene
from imagen_core.vocabulary import article

LOOSE_SHARE = 0.08  # of captions that are words in loose order
STOP_SHARE = 0.05  # of captions that end with a full stop
BARE_SHARE = 0.1  # of plurals that stand without their number


def caption(scene: Scene, rng: random.Random) -> str:
    """Say what the scene shows. Background and relation are left out now and then, synonyms take a noun's place.

    A plain white background is what a caption without a background mostly means, and the first of STYLES what one
    without a style means. Now and then it is written as people type: words with commas, a full stop.
    There are no capitals: the text encoder reads every prompt in lower case.
    """
    text = _loose(scene, rng) if rng.random() < LOOSE_SHARE else _sentence(scene, rng)
    return f"{text}." if rng.random() < STOP_SHARE else text


def _sentence(scene: Scene, rng: random.Random) -> str:
    text, *others = [_phrase(thing, count, rng) for thing, count in scene.groups]
    if scene.relation:
        between = RELATIONS[scene.relation] if rng.random() < 0.75 else "and"
        text = f"{text} {between} {others[0]}"
    if scene.background != "white" or rng.random() < 0.3:
        text = f"{text} {BACKGROUND_WORDS[scene.background]}"
    draw = rng.random() * (1.0 if scene.style == STYLES[0] else 0.35)
    if draw < 0.12:
        text = f"{text}, {scene.style} style"
    elif draw < 0.24:
        text = f"{article(scene.style)} {scene.style} {rng.choice(['drawing', 'picture', 'illustration'])} of {text}"
    elif draw < 0.29:
        text = f"{text}, {scene.style} illustration"
    elif draw < 0.35:
        text = f"{text}, {scene.style}"
    return text


def _loose(scene: Scene, rng: random.Random) -> str:
    """Words in any order: "wooden table, apple, red"; a colour stands alone only where there is one kind of thing."""
    words = []
    for thing, count in scene.groups:
        colour = _colour(thing, rng)
        if colour and len(scene.groups) == 1 and rng.random() < 0.5:
            words.append(colour)
            colour = ""
        words.append(" ".join(filter(None, (NUMBERS.get(count), colour, _noun(thing, count, rng)))))
    if scene.background != "white":
        words.append(BACKGROUND_NAMES[scene.background])
    if scene.style != STYLES[0]:
        words.append(scene.style)
    rng.shuffle(words)
    return ", ".join(words)


BACKGROUND_WORDS = {
    name: f"on {_a} {name} background" for name, _a in ((name, "an" if name[0] in "aeiou" else "a") for name in PLAIN)
} | {
    "sky": "in the sky",
    "sunset": "at sunset",
    "night": "under a starry night sky",
    "meadow": "on a meadow",
    "beach": "on a beach",
    "snow": "in the snow",
    "desert": "in the desert",
    "table": "on a wooden table",
    "water": "on the water",
}


BACKGROUND_NAMES = {name: f"{name} background" for name in PLAIN} | {
    "sky": "sky",
    "sunset": "sunset",
    "night": "starry night sky",
    "meadow": "meadow",
    "beach": "beach",
    "snow": "snow",
    "desert": "desert",
    "table": "wooden table",
    "water": "water",
}


def _phrase(thing: Placed, count: int, rng: random.Random) -> str:
    """An article or number, the colour, the noun: "a red apple", "three blue stars", now and then "blue stars"."""
    noun = " ".join(filter(None, (_colour(thing, rng), _noun(thing, count, rng))))
    if count == 1:
        return f"{article(noun)} {noun}"
    bare = thing.concept.plural != thing.concept.noun and rng.random() < BARE_SHARE
    return noun if bare else f"{NUMBERS[count]} {noun}"


def _colour(thing: Placed, rng: random.Random) -> str:
    """The colour that a thing was given; its own now and then, or nothing."""
    return thing.colour or (thing.concept.colour if rng.random() < 0.3 else "")


def _noun(thing: Placed, count: int, rng: random.Random) -> str:
    """The noun, a synonym, or the plural."""
    concept = thing.concept
    trained = concept.synonyms[:-1] if len(concept.synonyms) > 1 else concept.synonyms  # the last is never trained on
    if count > 1:
        return concept.plural
    return rng.choice(trained) if trained and rng.random() < 0.2 else concept.noun
