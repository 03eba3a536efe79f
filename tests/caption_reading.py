"""Captions read back, with the words of `caption_language` and the table of concepts read as plain CSV."""

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
from tests.caption_language import (
    COLOURS,
    FILLERS,
    MEANT,
    NAMES,
    NUMBERS,
    OTHER_COLOURS,
    PAIRS,
    PLACES,
    PLAIN,
    POSTURES,
    SIZES,
    STYLE_NAMES,
    STYLES,
    VAGUE,
)

_BETWEEN = re.compile(rf" ({'|'.join(MEANT)}) ")
_STYLE = "|".join(STYLE_NAMES)
_DRAWN = "(?<=sketch)|(?<=doodle)|(?<=scribble)"  # styles that are things themselves: "a sketch of"


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


def joined(text: str) -> str:
    """A text whose names with a word of MEANT in them, "bow and arrow", are of one piece."""
    for name in sorted(filter(_BETWEEN.search, icon_of_noun()), key=len, reverse=True):
        text = re.sub(rf"\b{name}\b", name.replace(" ", "_"), text)
    return text


@cache
def plurals() -> set[str]:
    """Those that differ from their noun."""
    return {row["plural"] for row in table().values()} - {row["noun"] for row in table().values()}


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
    parts = [joined(text)]
    if match := _BETWEEN.search(parts[0]):
        relation, parts = match[1], [parts[0][: match.start()], parts[0][match.end() :]]
        assert not _BETWEEN.search(parts[1]), "two relations"
    parts = [part.replace("_", " ") for part in parts]
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
