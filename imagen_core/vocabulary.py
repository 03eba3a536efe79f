"""What a model was trained to draw, in words: what the page lists, warns about, and makes surprise prompts of."""

from __future__ import annotations

import json
import random
import re
import unicodedata
from dataclasses import asdict, dataclass, fields

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SHOWN = 40  # characters of one word
# Words that a prompt is put together with, whoever writes it; nothing is drawn of them.
_JOINING = frozenset(
    _WORD.findall(
        "a an the one some of and with without in on at to by for from into near next it its his her their my your "
        "this that is are be very really please draw drawn show me image picture photo"
    )
)


@dataclass(frozen=True)
class Thing:
    """Something that can be drawn: its noun and plural, the colour it has of itself ("" for none), other names."""

    noun: str
    plural: str
    colour: str
    synonyms: tuple[str, ...]


@dataclass(frozen=True)
class Vocabulary:
    """The words of a model's training captions.

    backgrounds and relations are phrases ("on a beach", "to the left of"), numbers words from two upwards; `styles`
    begins with the one that a prompt without a style gets; `others` are words that captions hold besides.
    """

    things: tuple[Thing, ...]
    colours: tuple[str, ...]
    backgrounds: tuple[str, ...]
    relations: tuple[str, ...]
    numbers: tuple[str, ...]
    styles: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def words(self) -> frozenset[str]:
        """Every single word, in small letters."""
        named = [name for thing in self.things for name in (thing.noun, thing.plural, *thing.synonyms)]
        phrases = (*named, *self.colours, *self.backgrounds, *self.relations, *self.numbers, *self.styles, *self.others)
        return frozenset(word for phrase in phrases for word in _WORD.findall(phrase.lower()))

    def foreign(self, prompt: str) -> tuple[str, ...]:
        """The words of a prompt that no training caption held, as written, in order and once each.

        Only words of Latin letters count; a plural of a known word is known.
        """
        known = self.words | _JOINING
        found = {
            match.group()[:_SHOWN]: None
            for match in _WORD.finditer(prompt)
            if _is_latin(match.group()) and not {match.group().lower(), *_singulars(match.group().lower())} & known
        }
        return tuple(found)

    def surprise(self, rng: random.Random) -> str:
        """A prompt at random, of what the model was trained to draw.

        Most show one thing, because those come out best; now and then it is in another style than the usual one.
        """
        scene = self._surprising_scene(rng)
        return f"{scene}, {rng.choice(self.styles[1:])} style" if self.styles[1:] and rng.random() < 0.2 else scene

    def _surprising_scene(self, rng: random.Random) -> str:
        first, second = rng.sample(self.things, 2) if len(self.things) > 1 else self.things * 2
        background = f" {rng.choice(self.backgrounds)}" if self.backgrounds and rng.random() < 0.8 else ""
        draw = rng.random()
        if draw < 0.15 and self.numbers:
            return f"{rng.choice(self.numbers)} {first.plural}{background}"
        if draw < 0.3 and self.relations:
            return f"{_one(first.noun)} {rng.choice(self.relations)} {_one(second.noun)}{background}"
        if draw < 0.6 and self.colours:
            return f"{_one(f'{rng.choice(self.colours)} {first.noun}')}{background}"
        return f"{_one(first.noun)}{background}"

    def to_json(self) -> str:
        """The vocabulary as JSON; `from_json` takes it back."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Vocabulary:
        """The vocabulary in JSON `text`.

        Raises:
            ValueError: it is not JSON, or of another shape.
        """
        try:
            values = json.loads(text)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        names = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or values.keys() != names:
            raise ValueError(f"it must hold {', '.join(sorted(names))}")
        try:
            things = tuple(Thing(**thing | {"synonyms": _words(thing["synonyms"])}) for thing in values.pop("things"))
        except (TypeError, KeyError) as error:
            raise ValueError(f"it holds a thing of another shape ({error})") from None
        if not things or not all(isinstance(text, str) for t in things for text in (t.noun, t.plural, t.colour)):
            raise ValueError("it must hold things, with texts")
        return cls(things, **{name: _words(words) for name, words in values.items()})


def _words(values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{str(values)[:_SHOWN]} is no list of words")
    return tuple(values)


def _is_latin(word: str) -> bool:
    return all(unicodedata.name(letter, "").startswith("LATIN") for letter in word if letter not in "'’")


def _singulars(word: str) -> tuple[str, ...]:
    """What a word may be the plural of."""
    return tuple(word.removesuffix(end) for end in ("s", "es", "'s", "’s") if word.endswith(end))


def article(phrase: str) -> str:
    """The indefinite article of a phrase: "an" before a vowel, but "a unicorn"."""
    return "an" if phrase[0] in "aeiou" and not phrase.startswith("uni") else "a"


def _one(phrase: str) -> str:
    return f"{article(phrase)} {phrase}"
