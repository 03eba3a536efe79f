"""Captions of scenes: a caption says a part of what a scene shows and never anything else.

So whether a model drew what its prompt says can be measured.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from imagen_core.training.caption_words import (
    BACKGROUND_NAMES,
    BACKGROUND_WORDS,
    BIG_WORDS,
    FILLERS,
    OTHER_BACKGROUND_WORDS,
    OTHER_COLOUR_WORDS,
    OTHER_RELATION_WORDS,
    OTHER_STYLE_WORDS,
    PICTURES,
    POSTURES,
    SMALL_WORDS,
    TOGETHER,
    VAGUE_NUMBERS,
    one,
)
from imagen_core.training.scenes import NUMBERS, RELATIONS, SKETCH, STYLES, Placed, Scene
from imagen_core.training.sprites import concepts
from imagen_core.vocabulary import article

LOOSE_SHARE = 0.08  # of captions that are words in loose order
STOP_SHARE = 0.05  # of captions that end with a full stop
BARE_SHARE = 0.12  # of plurals that stand without their number, every third of them with one of VAGUE_NUMBERS
DIGIT_SHARE = 0.12  # of numbers that are written as digits
OTHER_WORDS_SHARE = 0.3  # of backgrounds that are said as one of OTHER_BACKGROUND_WORDS
SYNONYM_SHARE = 0.35  # of names of one thing
OTHER_STYLE_SHARE = 0.15  # of styles that are said as one of OTHER_STYLE_WORDS
OTHER_COLOUR_SHARE = 0.12  # of colours that are said as one of OTHER_COLOUR_WORDS
FILLER_SHARE = 0.06  # of things with a word before them that shows in no picture
POSTURE_SHARE = 0.1  # of places with a word that people put before them
PICTURE_SHARE = 0.06  # of captions without a style that say what is plain: "a picture of"
SMALL, BIG = 0.45, 0.85  # a thing alone in a picture is small below the one, big above the other share of its side


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
        postures = POSTURES.get(scene.background, ()) if rng.random() < POSTURE_SHARE else ()
        pieces.append((f" {rng.choice(postures)} {words}" if postures else f" {words}", None))
    draw = rng.random() * (1.0 if scene.style == STYLES[0] else 0.35)
    style = _style(scene, rng)
    if draw < 0.12:
        pieces.append((f", {style} style", None))
    elif draw < 0.24:
        kind = "" if scene.style == SKETCH else f" {rng.choice(['drawing', 'picture', 'illustration'])}"
        pieces.insert(0, (f"{article(style)} {style}{kind} of ", None))
    elif draw < 0.29 and scene.style != STYLES[0] and first.startswith(("a ", "an ")):
        pieces[0] = (first.split(" ", 1)[1], 0)  # "a cartoon cat"
        pieces.insert(0, (f"{article(style)} {style} ", None))
    elif draw < 0.29:
        pieces.append((f", {style} illustration", None))
    elif draw < 0.35:
        pieces.append((f", {style}", None))
    elif draw < 0.35 + PICTURE_SHARE:
        kind = rng.choice(PICTURES)
        pieces.insert(0, (f"{article(kind)} {kind} of ", None))
    return pieces


def _style(scene: Scene, rng: random.Random) -> str:
    """The style, by one of its names."""
    return rng.choice(OTHER_STYLE_WORDS[scene.style]) if rng.random() < OTHER_STYLE_SHARE else scene.style


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
    """Words in any order: "wooden table, apple, red".

    A colour stands alone only where there is one kind of thing, and where it is not the name of a thing: an orange.
    """
    words: list[_Piece] = []
    for group, (thing, count) in enumerate(scene.groups):
        colour = _colour(thing, rng)
        if colour and colour not in _nouns() and len(scene.groups) == 1 and rng.random() < 0.5:
            words.append((colour, group))
            colour = ""
        words.append((" ".join(filter(None, (_number(count, rng), colour, _noun(thing, count, rng)))), group))
    around = [_size(scene, rng)]
    if scene.background != "white":
        around.append(BACKGROUND_NAMES[scene.background])
    if scene.style != STYLES[0]:
        around.append(_style(scene, rng))
    words.extend((word, None) for word in around if word)
    rng.shuffle(words)
    return [piece for word in words for piece in ((", ", None), word)][1:]


@lru_cache(maxsize=1)
def _nouns() -> frozenset[str]:
    return frozenset(concept.noun for concept in concepts())


def _phrase(thing: Placed, count: int, size: str, rng: random.Random) -> str:
    """An article or number, size, colour, noun: "a red apple", "three blue stars", now and then "some stars"."""
    filler = rng.choice(FILLERS) if rng.random() < FILLER_SHARE else ""
    name = _noun(thing, count, rng)
    noun = " ".join(filter(None, (size, filler, _colour(thing, rng), name)))
    if count == 1:
        return one(noun, name)
    bare = thing.concept.plural != thing.concept.noun and rng.random() < BARE_SHARE
    if not bare:
        return f"{_number(count, rng)} {noun}"
    return noun if rng.random() < 2 / 3 else f"{rng.choice(VAGUE_NUMBERS)} {noun}"


def _number(count: int, rng: random.Random) -> str:
    """A word, now and then a digit; "" for one."""
    if count == 1:
        return ""
    return str(count) if rng.random() < DIGIT_SHARE else NUMBERS[count]


def _colour(thing: Placed, rng: random.Random) -> str:
    """The colour that a thing was given, by one of its names; its own now and then, or nothing."""
    colour = thing.colour or (thing.concept.colour if rng.random() < 0.3 else "")
    others = OTHER_COLOUR_WORDS.get(colour, ()) if rng.random() < OTHER_COLOUR_SHARE else ()
    return rng.choice(others) if others else colour


def _noun(thing: Placed, count: int, rng: random.Random) -> str:
    """The noun, a synonym, or the plural."""
    concept = thing.concept
    trained = concept.synonyms[:-1] if len(concept.synonyms) > 1 else concept.synonyms  # the last is never trained on
    if count > 1:
        return concept.plural
    return rng.choice(trained) if trained and rng.random() < SYNONYM_SHARE else concept.noun
