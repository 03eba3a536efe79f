"""Captions read back, with words written down here and the table of concepts read as plain CSV."""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from imagen_core.training import sprites as sprites_module
from imagen_core.training.captions import caption
from imagen_core.training.scenes import Scene, compose

OTHER_COLOURS = {  # other names of colours
    "crimson": "red",
    "scarlet": "red",
    "golden": "yellow",
    "emerald": "green",
    "azure": "blue",
    "violet": "purple",
    "magenta": "pink",
    "grey": "gray",
    "silver": "gray",
}

FILLERS = {"cute", "happy", "beautiful", "shiny", "funny", "lovely", "nice", "pretty", "friendly", "simple"}

POSTURES = {  # words for what things do in a place, which show in no picture
    "standing": {"meadow", "beach", "snow", "desert", "table"},
    "sitting": {"meadow", "beach", "snow", "desert", "table"},
    "lying": {"meadow", "beach", "snow", "desert", "table"},
    "flying": {"sky"},
    "floating": {"sky", "water"},
    "swimming": {"water"},
}

COLOURS = {"red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray"}

NUMBERS = {"": 1, "a": 1, "an": 1, "two": 2, "three": 3, "four": 4, "2": 2, "3": 3, "4": 4}

VAGUE = {"some", "several", "many"}  # what stands before a plural without its number

SIZES = {"small": "small", "little": "small", "tiny": "small", "big": "big", "large": "big", "huge": "big"}

RELATIONS = ("left", "right", "above", "below")

MEANT = {  # what stands between two things, the longer words first, and the relations of which it is true
    "to the left of": {"left"},
    "on the left of": {"left"},
    "left of": {"left"},
    "to the right of": {"right"},
    "on the right of": {"right"},
    "right of": {"right"},
    "above": {"above"},
    "over": {"above"},
    "on top of": {"above"},
    "sitting on": {"above"},
    "standing on": {"above"},
    "on": {"above"},
    "below": {"below"},
    "under": {"below"},
    "beneath": {"below"},
    "next to": {"left", "right"},
    "beside": {"left", "right"},
    "near": {"left", "right"},
    "and": set(RELATIONS),
    "with": set(RELATIONS),
}
_BETWEEN = re.compile(rf" ({'|'.join(MEANT)}) ")

PLACES = {
    " in the sky": "sky",
    " in a blue sky": "sky",
    " among the clouds": "sky",
    " in the clouds": "sky",
    " in the air": "sky",
    " at sunset": "sunset",
    " in the sunset": "sunset",
    " in the evening": "sunset",
    " at dusk": "sunset",
    " at sundown": "sunset",
    " under a starry night sky": "night",
    " at night": "night",
    " under the stars": "night",
    " in the night sky": "night",
    " in space": "night",
    " on a meadow": "meadow",
    " in a meadow": "meadow",
    " on the grass": "meadow",
    " in the grass": "meadow",
    " in a field": "meadow",
    " on a lawn": "meadow",
    " in a park": "meadow",
    " in the garden": "meadow",
    " on a beach": "beach",
    " on the beach": "beach",
    " at the beach": "beach",
    " at the seaside": "beach",
    " by the sea": "beach",
    " in the snow": "snow",
    " on snow": "snow",
    " in winter": "snow",
    " on a snowy field": "snow",
    " in the desert": "desert",
    " in a desert": "desert",
    " on the sand": "desert",
    " in the dunes": "desert",
    " on a wooden table": "table",
    " on a table": "table",
    " on the table": "table",
    " on a wooden floor": "table",
    " on a desk": "table",
    " on the water": "water",
    " in the water": "water",
    " on the sea": "water",
    " on a lake": "water",
    " in the sea": "water",
    " on the ocean": "water",
    " in the ocean": "water",
}

NAMES = {  # of the same places, in a list of words
    "sky": "sky",
    "sunset": "sunset",
    "starry night sky": "night",
    "meadow": "meadow",
    "beach": "beach",
    "snow": "snow",
    "desert": "desert",
    "wooden table": "table",
    "water": "water",
}

STYLES = ("flat", "cartoon", "pixel art", "sketch")
OTHER_STYLES = {  # other names of styles
    "vector": "flat",
    "clip art": "flat",
    "comic": "cartoon",
    "pixelated": "pixel art",
    "8-bit": "pixel art",
    "doodle": "sketch",
    "scribble": "sketch",
}
STYLE_NAMES = {style: style for style in STYLES} | OTHER_STYLES
_STYLE = "|".join(STYLE_NAMES)
_DRAWN = "(?<=sketch)|(?<=doodle)|(?<=scribble)"  # styles that are things themselves: "a sketch of"

PLAIN = {"white", "gray", "black", "blue", "green", "yellow", "pink", "orange", "purple"}


@dataclass(frozen=True)
class Said:
    """One thing of a caption."""

    article: str
    colour: str
    noun: str
    size: str = ""


@dataclass(frozen=True)
class Reading:
    """`relation` is a key of MEANT, "" for none.

    `loose`: words with commas instead of a sentence; the article of one thing is then "".
    In a sentence "" is the article of a plural without its number.
    """

    things: tuple[Said, ...]
    relation: str
    background: str
    style: str
    loose: bool = False


@cache
def table() -> dict[str, dict[str, str]]:
    """The rows of concepts.csv by icon."""
    with Path(sprites_module.__file__).with_name("concepts.csv").open(encoding="utf-8", newline="") as file:
        return {row["icon"]: row for row in csv.DictReader(file)}


@cache
def icon_of_noun() -> dict[str, str]:
    """Which icon a noun, plural or synonym means."""
    nouns = {}
    for icon, row in table().items():
        for noun in {row["noun"], row["plural"], *filter(None, row["synonyms"].split(";"))}:
            assert nouns.setdefault(noun, icon) == icon, f"{noun} means two things"
    return nouns


def begins_with_a_vowel(word: str) -> bool:
    """To the ear."""
    return word[0] in "aeiou" and not word.startswith("unicorn")


def parse(text: str) -> Reading:
    """Take a caption apart; an assertion fails on anything that is not of its language."""
    text = text.removesuffix(".")
    first = text.split(" ")[0]
    listed = re.search(rf", (?!(?:{_STYLE})(?: style| illustration|)$)", text)
    named = text
    for words in (VAGUE, SIZES, FILLERS, COLOURS | OTHER_COLOURS.keys()):
        named = " ".join(named.split(" ")[1:]) if named.split(" ")[0] in words else named
    bare = re.match(rf"(?:{'|'.join(plurals() | PAIRS)})\b", named)
    sentence = (first in NUMBERS or bare) and not listed
    return _parse_sentence(text) if sentence else _parse_words(text.split(", "))


@cache
def plurals() -> set[str]:
    """Those that differ from their noun."""
    return {row["plural"] for row in table().values()} - {row["noun"] for row in table().values()}


PAIRS = {"grapes", "cherries", "fries", "french fries", "chips", "scissors", "shears", "sunglasses", "shades"} | {
    *("spectacles", "glasses", "pancakes", "hotcakes", "headphones", "earphones", "jeans", "pants", "denims"),
    "trousers",
}  # names of one thing that take no article


def coloured(words: list[str]) -> str:
    """Take the colour, by any of its names, from the front of the words; "" where there is none."""
    if len(words) < 2 or words[0] not in COLOURS | OTHER_COLOURS.keys():
        return ""
    word = words.pop(0)
    return OTHER_COLOURS.get(word, word)


def _parse_words(words: list[str]) -> Reading:
    """Words in any order, each of them a thing, a lone colour, a background or a style."""
    style = background = lone = size = ""
    things = []
    for word in words:
        if word in NAMES or word.endswith(" background"):
            assert not background, "the background is said twice"
            background = NAMES.get(word, word.removesuffix(" background"))
            assert background in {*PLAIN, *PLACES.values()}, word
        elif STYLE_NAMES.get(word, STYLES[0]) != STYLES[0]:
            assert not style, "the style is said twice"
            style = STYLE_NAMES[word]
        elif word in SIZES:
            assert not size, "the size is said twice"
            size = SIZES[word]
        elif word in COLOURS | OTHER_COLOURS.keys() and word not in icon_of_noun():
            assert not lone, "two colours without a thing"
            lone = OTHER_COLOURS.get(word, word)
        else:
            rest = word.split(" ")
            number = rest.pop(0) if rest[0] in NUMBERS else ""
            assert number not in ("a", "an"), word
            colour = coloured(rest)
            assert " ".join(rest) in icon_of_noun(), word
            things.append(Said(number, colour, " ".join(rest)))
    if lone:
        (thing,) = things
        assert not thing.colour, "two colours of one thing"
        things = [replace(thing, colour=lone)]
    if size:
        (thing,) = things
        things = [replace(thing, size=size)]
    return Reading(tuple(things), "", background, style, loose=True)


def _parse_sentence(text: str) -> Reading:
    style = background = relation = ""
    if match := re.match(rf"(?:a|an) ({_STYLE})(?: drawing| picture| illustration|{_DRAWN}) of ", text):
        style, text = STYLE_NAMES[match[1]], text[match.end() :]
    elif match := re.match(rf"(?:a|an) ({_STYLE}) ", text):
        style, text = STYLE_NAMES[match[1]], text[match.end() :]
        text = f"{'an' if begins_with_a_vowel(text) else 'a'} {text}"
    elif match := re.match(r"(a|an) (picture|image|drawing|illustration|icon) of ", text):
        assert (match[1] == "an") == begins_with_a_vowel(match[2])
        text = text[match.end() :]
    if match := re.search(rf", ({_STYLE})(?: style| illustration|)$", text):
        assert not style, "the style is said twice"
        style, text = STYLE_NAMES[match[1]], text[: match.start()]
    if match := re.search(r" (?:on|with) (a|an) (\w+) background$", text):
        assert (match[1] == "an") == begins_with_a_vowel(match[2])
        background, text = OTHER_COLOURS.get(match[2], match[2]), text[: match.start()]
        assert background in PLAIN
    for words, name in PLACES.items():
        if text.endswith(words):
            assert not background, "the background is said twice"
            background, text = name, text.removesuffix(words)
    start, _, posture = text.rpartition(" ")
    if posture in POSTURES:
        assert background in POSTURES[posture]
        text = start
    parts = [text]
    if match := _BETWEEN.search(text):
        relation, parts = match[1], [text[: match.start()], text[match.end() :]]
        assert not _BETWEEN.search(parts[1]), "two relations"
    things = []
    for part in parts:
        rest = part.split(" ")
        article = rest.pop(0) if rest[0] in NUMBERS else ""
        if rest[0] in VAGUE:
            assert not article
            rest.pop(0)
        after = rest[0]
        size = SIZES[rest.pop(0)] if rest[0] in SIZES else ""
        if rest[0] in FILLERS and " ".join(rest) not in icon_of_noun():
            rest.pop(0)
        colour = coloured(rest)
        name = " ".join(rest)
        assert name in (icon_of_noun() if article else plurals() | PAIRS), part
        assert not (name in PAIRS and article in ("a", "an")), part
        things.append(Said(article or "a" * (name in PAIRS), colour, name, size))
        if article in ("a", "an"):
            assert (article == "an") == begins_with_a_vowel(after), part
    return Reading(tuple(things), relation, background, style)


def drawn(count: int) -> Iterator[tuple[Scene, str]]:
    for seed in range(count):
        rng = random.Random(seed)
        scene = compose(rng)
        yield scene, caption(scene, rng)


def own_colour(icon: str) -> str:
    return table()[icon]["colour"]
