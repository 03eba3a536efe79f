r"""Weights of words in a prompt: `a (red:1.4) apple`, `(two words:0.5)`.

A bracket that ends in a colon and a number, with something between, weighs what is in it, from 0 (not attended to) over
1 (as if it were not there) to 3. Weights inside weights multiply. Every other bracket and colon is text: `a cat
(asleep)` is a prompt like any other, and so is one with a digit before the colon and two or three behind it, a time or
a verse: `(at 10:30)`, `(John 3:16)`; `(John 3:2)` needs a backslash to be one. `\(` and `\)` are
brackets that are text whatever follows, so `\(ratio 3:2)` has no weight; no other backslash means anything. What is
left without the syntax is what the text encoder reads.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from imagen_core.validation import RecipeError, shown

MAX_WEIGHT = 3.0
_DECIMALS = 4  # of a weight; a product of weights is rounded to so many
_WEIGHT = re.compile(r":[ \t]*([+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20}))[ \t]*\Z", re.ASCII)
_OF_WEIGHT = frozenset("0123456789.+- \t")  # what `_WEIGHT` takes behind its colon
_TIME = re.compile(r"[0-9]:[0-9]{2,3}[ \t]*\Z", re.ASCII)  # or a verse


@dataclass(frozen=True)
class WeightedPrompt:
    """A prompt without the syntax, and the weight of each of its characters, 0 to 3.

    Space between two characters of the same weight has that weight, all other space has 1.
    """

    text: str
    weights: tuple[float, ...]

    @property
    def is_plain(self) -> bool:
        """Whether nothing is weighed other than 1."""
        return all(weight == 1 for weight in self.weights)

    def mean_weight(self, start: int, end: int) -> float:
        """The weight of text[start:end]; the mean over its characters where they differ, 1 for no character."""
        weights = self.weights[start:end] or (1.0,)
        return weights[0] if len(set(weights)) == 1 else sum(weights) / len(weights)


@dataclass(frozen=True)
class Word:
    """A word as a reader counts them, without the punctuation around it: text[start:end] of a prompt."""

    text: str
    start: int
    end: int


@lru_cache(maxsize=128)  # a fork's parents share their prompts, and a prompt is read whenever a recipe is made
def parse(prompt: str, field: str = "prompt") -> WeightedPrompt:
    """Read the syntax.

    Raises:
        RecipeError: a weight, or the product of weights around a word, is outside 0 to 3; it names `field`.
    """
    characters: list[str] = []
    weights: list[float] = []
    opened: list[int] = []
    place = 0
    while place < len(prompt):
        character = prompt[place]
        escaped = character == "\\" and prompt[place + 1 : place + 2] in ("(", ")")
        place += 2 if escaped else 1
        if character == ")" and opened:
            start = opened.pop()
            end, weight = _weight_at_end(characters, start + 1)
            if weight is not None and "".join(characters[start + 1 : end]).strip():
                written = f"{''.join(characters[start:])})"
                weight = _checked(weight, field, f"as in {shown(written)}; where that bracket is text")
                inner = weights[start + 1 : end]
                product = {
                    each: _checked(weight * each, field, "as brackets in brackets make it; where they are text")
                    for each in dict.fromkeys(inner)
                }
                characters[start:], weights[start:] = characters[start + 1 : end], [product[each] for each in inner]
                continue
        elif character == "(":
            opened.append(len(characters))
        characters.append(prompt[place - 1] if escaped else character)
        weights.append(1.0)
    text = "".join(characters)
    return WeightedPrompt(text, _without_space(text, weights))


def _weight_at_end(characters: list[str], start: int) -> tuple[int, float | None]:
    """Where in characters[start:] a weight begins that ends them, with its colon, and the weight; None without.

    No more is looked at than what can be part of a weight: brackets in brackets would else be read over and over.
    """
    colon = len(characters) - 1
    while colon >= start and characters[colon] in _OF_WEIGHT:
        colon -= 1
    if colon < start or characters[colon] != ":":
        return len(characters), None
    before = max(start, colon - 1)  # the digit of a time
    end = "".join(characters[before:])
    found = None if _TIME.search(end) else _WEIGHT.search(end)
    return colon, float(found.group(1)) if found else None


def write(weighted: WeightedPrompt) -> str:
    """The prompt that `parse` reads as `weighted`; brackets of the text are escaped where they must be."""
    runs = [(weight, [place for place, _ in run]) for weight, run in groupby(enumerate(weighted.weights), _weight)]
    parts = [(weighted.text[places[0] : places[-1] + 1], weight) for weight, places in runs]
    plain = "".join(_written(text, weight) for text, weight in parts)
    if _reads_as(plain, weighted):
        return plain
    escaped = [(re.sub(r"([()])", r"\\\1", text), weight) for text, weight in parts]
    # A backslash before a weight's bracket would escape it, so that text is weighed too, with 1.
    return "".join(
        f"({text}:1)" if weight == 1 and text.endswith("\\") else _written(text, weight) for text, weight in escaped
    )


def words(text: str) -> tuple[Word, ...]:
    """The words of a prompt without syntax: what spaces part, without punctuation at the ends; never empty ones."""
    found = []
    for match in re.finditer(r"\S+", text):
        start, end = match.span()
        while start < end and _is_punctuation(text[start]):
            start += 1
        while start < end and _is_punctuation(text[end - 1]):
            end -= 1
        if start < end:
            found.append(Word(text[start:end], start, end))
    return tuple(found)


def weigh(prompt: str, word: int, weight: float) -> str:
    """The prompt with another weight, 0 to 3, for word number `word` of `words`.

    Raises:
        RecipeError: the weight is out of range, there is no such word, or the prompt cannot be parsed.
    """
    weighted = parse(prompt)
    found = words(weighted.text)
    if not 0 <= word < len(found):
        raise RecipeError("word", f"must be one of the {len(found)} words of the prompt, counted from 0, not {word}")
    start, end = found[word].start, found[word].end
    changed = list(weighted.weights)
    if not 0 <= weight <= MAX_WEIGHT:
        raise RecipeError("weight", _out_of_range(weight))
    changed[start:end] = [_rounded(weight)] * (end - start)
    return write(WeightedPrompt(weighted.text, _without_space(weighted.text, changed)))


def _checked(weight: float, field: str, where: str) -> float:
    """A weight that was read; an error tells `where`."""
    if not 0 <= weight <= MAX_WEIGHT:
        raise RecipeError(field, rf"{_out_of_range(weight)} {where}, write \( for it")
    return _rounded(weight)


def _out_of_range(weight: float) -> str:
    return f"must weigh words from 0 to {MAX_WEIGHT:g}, not {weight:g}"


def _rounded(weight: float) -> float:
    return round(weight, _DECIMALS) + 0.0


def _without_space(text: str, weights: list[float]) -> tuple[float, ...]:
    result = list(weights)
    for match in re.finditer(r"\s+", text):
        start, end = match.span()
        around = {weights[start - 1], weights[end]} if start > 0 and end < len(text) else {1.0}
        result[start:end] = [around.pop() if len(around) == 1 else 1.0] * (end - start)
    return tuple(result)


def _reads_as(prompt: str, weighted: WeightedPrompt) -> bool:
    try:
        return parse(prompt) == weighted
    except RecipeError:
        return False


def _written(text: str, weight: float) -> str:
    return text if weight == 1 else f"({text}:{weight:g})"


def _weight(item: tuple[int, float]) -> float:
    return item[1]


def _is_punctuation(character: str) -> bool:
    return character != "\\" and unicodedata.category(character).startswith("P")  # a backslash may escape
