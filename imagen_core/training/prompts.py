"""The prompts that a model is asked for, task by task, with what must be seen in the picture.

The tasks are those of GenEval (arXiv 2310.11513) and two more, style and background. Each comes twice: with
combinations that training saw, and with ones that `scenes.held_out` kept from it. Words are those of the captions. For
single things and backgrounds no combination can be held out; there the second half uses the synonyms that no caption
ever did.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from imagen_core.training.backgrounds import BACKGROUNDS
from imagen_core.training.caption_words import BACKGROUND_WORDS, one
from imagen_core.training.colours import COLOURS
from imagen_core.training.scenes import NUMBERS, RELATIONS, STYLES, held_out
from imagen_core.training.sprites import Concept, concepts

SPLITS = ("seen", "held_out")


@dataclass(frozen=True)
class Said:
    """One part of a prompt: `count` things, of a colour unless that is ""; `noun` is the word used."""

    concept: Concept
    noun: str
    colour: str = ""
    count: int = 1

    def __str__(self) -> str:
        words = f"{self.colour} {self.noun}".strip()
        return one(words, self.noun) if self.count == 1 else f"{NUMBERS[self.count]} {words}"


@dataclass(frozen=True)
class Prompt:
    """A text and what it says; relation is from the first thing to the second, "" is what the text leaves open."""

    text: str
    things: tuple[Said, ...]
    relation: str = ""
    style: str = ""
    background: str = ""


def prompts(task: str, split: str, count: int, seed: int) -> list[Prompt]:
    """`count` prompts of one task and split, the same for the same arguments."""
    rng = random.Random(f"{task} {split} {seed}")
    return [TASKS[task](rng, split == "held_out") for _ in range(count)]


def _said(concept: Concept, colour: str = "", count: int = 1) -> Said:
    return Said(concept, concept.noun if count == 1 else concept.plural, colour, count)


def _one(rng: random.Random, unseen: bool) -> Said:
    """A thing by its noun, or by the synonym that was never trained on."""
    if not unseen:
        return _said(rng.choice(concepts()))
    concept = rng.choice([concept for concept in concepts() if len(concept.synonyms) > 1])
    return Said(concept, concept.synonyms[-1])


def _single(rng: random.Random, unseen: bool) -> Prompt:
    said = _one(rng, unseen)
    return Prompt(str(said), (said,))


def _background(rng: random.Random, unseen: bool) -> Prompt:
    said, background = _one(rng, unseen), rng.choice(BACKGROUNDS)
    return Prompt(f"{said} {BACKGROUND_WORDS[background]}", (said,), background=background)


def held_out_relations(first: Concept, second: Concept) -> int:
    """In how many of the four relations this ordered pair was never trained on."""
    return sum(held_out("relation", first.icon, relation, second.icon) for relation in RELATIONS)


def _two_objects(rng: random.Random, unseen: bool) -> Prompt:
    """Held out: a pair that training could see, in this order, in one relation of the four or in none."""
    while True:
        first, second = rng.sample(concepts(), 2)
        hidden = held_out_relations(first, second)
        if hidden >= 3 if unseen else hidden == 0:
            return _pair((_said(first), _said(second)))


def _position(rng: random.Random, unseen: bool) -> Prompt:
    while True:
        first, second = rng.sample(concepts(), 2)
        relation = rng.choice(list(RELATIONS))
        if held_out("relation", first.icon, relation, second.icon) == unseen:
            return _pair((_said(first), _said(second)), relation)


def _pair(things: tuple[Said, Said], relation: str = "") -> Prompt:
    return Prompt(f"{things[0]} {RELATIONS.get(relation, 'and')} {things[1]}", things, relation)


def _counting(rng: random.Random, unseen: bool) -> Prompt:
    while True:
        concept, count = rng.choice(concepts()), rng.choice(list(NUMBERS))
        if held_out("count", concept.icon, str(count)) == unseen:
            said = _said(concept, count=count)
            return Prompt(str(said), (said,))


def _foreign_colour(rng: random.Random, concept: Concept) -> str:
    return rng.choice([colour for colour in COLOURS if colour != concept.colour])


def _colours(rng: random.Random, unseen: bool) -> Prompt:
    """A colour that the thing does not have of itself."""
    while True:
        concept = rng.choice(concepts())
        colour = _foreign_colour(rng, concept)
        if held_out("colour", concept.icon, colour) == unseen:
            said = _said(concept, colour)
            return Prompt(str(said), (said,))


def _colour_binding(rng: random.Random, unseen: bool) -> Prompt:
    """Two things, each in a colour that it does not have of itself; held out: at least one of them in its colour."""
    while True:
        first, second = rng.sample(concepts(), 2)
        things = (_said(first, _foreign_colour(rng, first)), _said(second, _foreign_colour(rng, second)))
        hidden = any(held_out("colour", said.concept.icon, said.colour) for said in things)
        if things[0].colour != things[1].colour and hidden == unseen and held_out_relations(first, second) == 0:
            return _pair(things)


def _style(rng: random.Random, unseen: bool) -> Prompt:
    """Held out: things never seen in a style but the first, which nothing is held out from."""
    while True:
        concept, style = rng.choice(concepts()), rng.choice(STYLES[1:] if unseen else STYLES)
        if (style != STYLES[0] and held_out("style", concept.icon, style)) == unseen:
            said = _said(concept)
            return Prompt(f"{said}, {style} style", (said,), style=style)


TASKS: dict[str, Callable[[random.Random, bool], Prompt]] = {
    "single": _single,
    "two_objects": _two_objects,
    "counting": _counting,
    "colours": _colours,
    "position": _position,
    "colour_binding": _colour_binding,
    "style": _style,
    "background": _background,
}
