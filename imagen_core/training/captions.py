"""Captions of scenes: a caption says a part of what a scene shows and never anything else.

So whether a model drew what its prompt says can be measured.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TypeAlias

from imagen_core.training.backgrounds import PLAIN
from imagen_core.training.scenes import NUMBERS, RELATIONS, SKETCH, STYLES, Placed, Scene
from imagen_core.vocabulary import article

LOOSE_SHARE = 0.08  # of captions that are words in loose order
STOP_SHARE = 0.05  # of captions that end with a full stop
BARE_SHARE = 0.1  # of plurals that stand without their number
DIGIT_SHARE = 0.12  # of numbers that are written as digits
OTHER_WORDS_SHARE = 0.3  # of backgrounds that are said as one of OTHER_BACKGROUND_WORDS
SMALL, BIG = 0.45, 0.85  # a thing alone in a picture is small below the one, big above the other share of its side
SMALL_WORDS, BIG_WORDS = ("small", "little", "tiny"), ("big", "large", "huge")
BESIDE = ("next to", "beside")  # to the left or to the right
TOGETHER = ("and", "with")  # in any relation
OTHER_RELATION_WORDS = {
    "left": ("left of", "on the left of", *BESIDE),
    "right": ("right of", "on the right of", *BESIDE),
    "above": ("over", "on top of"),
    "below": ("under", "beneath"),
}


@dataclass(frozen=True)
class Worded:
    """A caption, and the (start, end) of its characters that speak of each of the scene's groups."""

    text: str
    spans: tuple[tuple[tuple[int, int], ...], ...]


def caption(scene: Scene, rng: random.Random) -> str:
    """Say what the scene shows. Background and relation are left out now and then, synonyms take a noun's place.

    A plain white background is what a caption without a background mostly means, and the first of STYLES what one
    without a style means. Now and then it is written as people type: words with commas, a full stop.
    There are no capitals: the text encoder reads every prompt in lower case.
    """
    return worded(scene, rng).text


def worded(scene: Scene, rng: random.Random) -> Worded:
    """The `caption`, and which of its characters speak of which group of the scene."""
    pieces = _loose(scene, rng) if rng.random() < LOOSE_SHARE else _sentence(scene, rng)
    spans: list[list[tuple[int, int]]] = [[] for _ in scene.groups]
    text = ""
    for piece, group in pieces:
        if group is not None:
            spans[group].append((len(text), len(text) + len(piece)))
        text += piece
    return Worded(f"{text}." if rng.random() < STOP_SHARE else text, tuple(map(tuple, spans)))


_Piece: TypeAlias = tuple[str, int | None]  # of a caption, and the group that it speaks of


def _sentence(scene: Scene, rng: random.Random) -> list[_Piece]:
    size = _size(scene, rng)
    first, *others = [_phrase(thing, count, size, rng) for thing, count in scene.groups]
    pieces: list[_Piece] = [(first, 0)]
    if scene.relation:
        pieces += [(f" {_between(scene.relation, rng)} ", None), (others[0], 1)]
    if scene.background != "white" or rng.random() < 0.3:
        other = rng.random() < OTHER_WORDS_SHARE
        words = rng.choice(OTHER_BACKGROUND_WORDS[scene.background]) if other else BACKGROUND_WORDS[scene.background]
        pieces.append((f" {words}", None))
    draw = rng.random() * (1.0 if scene.style == STYLES[0] else 0.35)
    if draw < 0.12:
        pieces.append((f", {scene.style} style", None))
    elif draw < 0.24:
        kind = "" if scene.style == SKETCH else f" {rng.choice(['drawing', 'picture', 'illustration'])}"
        pieces.insert(0, (f"{article(scene.style)} {scene.style}{kind} of ", None))
    elif draw < 0.29 and scene.style != STYLES[0] and first.startswith(("a ", "an ")):
        pieces[0] = (first.split(" ", 1)[1], 0)  # "a cartoon cat"
        pieces.insert(0, (f"{article(scene.style)} {scene.style} ", None))
    elif draw < 0.29:
        pieces.append((f", {scene.style} illustration", None))
    elif draw < 0.35:
        pieces.append((f", {scene.style}", None))
    return pieces


def _between(relation: str, rng: random.Random) -> str:
    """What stands between two things: half of the time the words of RELATIONS."""
    draw = rng.random()
    if draw < 0.5:
        return RELATIONS[relation]
    return rng.choice(OTHER_RELATION_WORDS[relation]) if draw < 0.75 else TOGETHER[draw > 0.93]


def _size(scene: Scene, rng: random.Random) -> str:
    """A word for the size of a thing that is alone in the picture; "" for the usual one."""
    (thing, *others) = scene.things
    if others or SMALL < thing.size < BIG:
        return ""
    return rng.choice(SMALL_WORDS if thing.size < SMALL else BIG_WORDS)


def _loose(scene: Scene, rng: random.Random) -> list[_Piece]:
    """Words in any order: "wooden table, apple, red"; a colour stands alone only where there is one kind of thing."""
    words: list[_Piece] = []
    for group, (thing, count) in enumerate(scene.groups):
        colour = _colour(thing, rng)
        if colour and len(scene.groups) == 1 and rng.random() < 0.5:
            words.append((colour, group))
            colour = ""
        words.append((" ".join(filter(None, (_number(count, rng), colour, _noun(thing, count, rng)))), group))
    around = [_size(scene, rng)]
    if scene.background != "white":
        around.append(BACKGROUND_NAMES[scene.background])
    if scene.style != STYLES[0]:
        around.append(scene.style)
    words.extend((word, None) for word in around if word)
    rng.shuffle(words)
    return [piece for word in words for piece in ((", ", None), word)][1:]


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

OTHER_BACKGROUND_WORDS = {name: (f"with {words.removeprefix('on ')}",) for name, words in BACKGROUND_WORDS.items()} | {
    "sky": ("in a blue sky", "among the clouds"),
    "sunset": ("in the sunset", "in the evening"),
    "night": ("at night", "under the stars"),
    "meadow": ("in a meadow", "on the grass", "in the grass", "in a field"),
    "beach": ("on the beach", "at the beach"),
    "snow": ("on snow", "in winter"),
    "desert": ("in a desert", "on the sand"),
    "table": ("on a table", "on the table"),
    "water": ("in the water", "on the sea", "on a lake"),
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


def _phrase(thing: Placed, count: int, size: str, rng: random.Random) -> str:
    """An article or number, size, colour, noun: "a red apple", "three blue stars", now and then "blue stars"."""
    noun = " ".join(filter(None, (size, _colour(thing, rng), _noun(thing, count, rng))))
    if count == 1:
        return f"{article(noun)} {noun}"
    bare = thing.concept.plural != thing.concept.noun and rng.random() < BARE_SHARE
    return noun if bare else f"{_number(count, rng)} {noun}"


def _number(count: int, rng: random.Random) -> str:
    """A word, now and then a digit; "" for one."""
    if count == 1:
        return ""
    return str(count) if rng.random() < DIGIT_SHARE else NUMBERS[count]


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
