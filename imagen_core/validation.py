"""The rules that every value of a recipe obeys, and the one error that tells which was broken.

A rule has two doors. `check(field, value)` takes a typed value and returns it in its one canonical form, or raises
`RecipeError`. `read(text)` turns the text of a link or a command line into the type that the rule wants; text that
cannot be read so is handed on as it is, for `check` to refuse it with the same sentence as anywhere else.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TypeAlias

_WHOLE = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9]{1,20}(\.[0-9]{0,20})?|\.[0-9]{1,20})([eE][+-]?[0-9]{1,3})?", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_SHOWN = 40  # characters of a refused value that an error repeats


class RecipeError(ValueError):
    """A value that no recipe may hold. `field` names it (`sr256.num_steps`); the text is one sentence for a person."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.field} {self.problem}."

    def inside(self, parent: str) -> RecipeError:
        """The same error, told of a field of `parent`."""
        return RecipeError(f"{parent}.{self.field}", self.problem)


def shown(value: object) -> str:
    """`value` as an error repeats it: short, on one line, whatever it is."""
    if isinstance(value, str):
        return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}… ({len(value):,} characters)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 128 else f"a number of {value.bit_length():,} bits"
    if isinstance(value, float):
        return repr(value)
    return "null" if value is None else f"a {type(value).__name__}"


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _float(value: Real) -> float:
    """A number of any kind, NumPy's among them, as a float; infinity where it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def unknown(name: object, known: Iterable[str]) -> RecipeError:
    """The error for a name that is not among the `known` ones."""
    plain = isinstance(name, str) and 0 < len(name) <= _SHOWN and name.isprintable()
    return RecipeError(str(name) if plain else shown(name), f"is not among the known names {', '.join(known)}")


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`, both allowed; None too where `optional`. A bool is no number."""

    low: int
    high: int
    optional: bool = False

    def check(self, field: str, value: object) -> int | None:
        """Return `value` as an int; raise `RecipeError` for another type or outside the range."""
        if value is None and self.optional:
            return None
        number = int(value) if isinstance(value, Integral) and not _is_bool(value) else None  # also NumPy's
        if number is not None and self.low <= number <= self.high:
            return number
        raise RecipeError(field, f"must be a whole number from {self.low} to {self.high}, not {shown(value)}")

    def read(self, text: str) -> int | str | None:
        """Read decimal digits; no text at all is None where `optional`, as links write it."""
        if not text and self.optional:
            return None
        return int(text) if _WHOLE.fullmatch(text) else text


@dataclass(frozen=True)
class Number:
    """A finite number from `low` to `high`, both allowed, but not `low` itself where `above`."""

    low: float
    high: float
    above: bool = False

    def check(self, field: str, value: object) -> float:
        """Return `value` as a float; raise `RecipeError` for another type, NaN, or outside the range."""
        if isinstance(value, Real) and not _is_bool(value):
            number = _float(value) + 0.0  # -0.0 becomes 0.0
            if self.low <= number <= self.high and (number > self.low or not self.above):
                return number
        span = f"above {self.low:g} and up to {self.high:g}" if self.above else f"from {self.low:g} to {self.high:g}"
        given = shown(value).removesuffix(".0") if type(value) is float else shown(value)  # 1000, as people write it
        raise RecipeError(field, f"must be a number {span}, not {given}")

    def read(self, text: str) -> float | str:
        """Read a decimal number, with or without an exponent; words such as nan are left as they are."""
        return float(text) if _NUMBER.fullmatch(text) else text


@dataclass(frozen=True)
class Choice:
    """One of the words in `options`."""

    options: tuple[str, ...]

    def check(self, field: str, value: object) -> str:
        """Return `value`; raise `RecipeError` where it is no option."""
        if type(value) is str and value in self.options:
            return value
        raise RecipeError(field, f"must be one of {', '.join(self.options)}, not {shown(value)}")

    def read(self, text: str) -> str:
        """Nothing to read: an option is text."""
        return text


@dataclass(frozen=True)
class Name:
    """A short plain word of letters, digits, dots, hyphens and underscores: never a path, never an address."""

    max_length: int

    def check(self, field: str, value: object) -> str:
        """Return `value`; raise `RecipeError` where it is no such word."""
        if type(value) is str and len(value) <= self.max_length and _NAME.fullmatch(value):
            return value
        allowed = f"a name of at most {self.max_length} letters, digits, dots, hyphens and underscores"
        raise RecipeError(field, f"must be {allowed}, not {shown(value)}")

    def read(self, text: str) -> str:
        """Nothing to read: a name is text."""
        return text


@dataclass(frozen=True)
class Text:
    """Text of any script, at most `max_length` characters in Unicode's form NFC; None too where `optional`.

    Newlines and tabs are kept as they are (the text encoder reads them as spaces) and a Windows line end becomes a
    newline. Every other control character and half of a surrogate pair are refused: no font shows them, and some
    doors (a PNG, a link) would change them.
    """

    max_length: int
    optional: bool = False

    def check(self, field: str, value: object) -> str | None:
        """Return `value` in form NFC; raise `RecipeError` where it is too long or holds a refused character."""
        if value is None and self.optional:
            return None
        if type(value) is not str:
            raise RecipeError(field, f"must be text, not {shown(value)}")
        # Composing shortens text at most fourfold, so what is longer is too long without looking at 1 MB of it.
        text = value if len(value) > 4 * self.max_length else unicodedata.normalize("NFC", value.replace("\r\n", "\n"))
        if len(text) > self.max_length:
            raise RecipeError(field, f"must be at most {self.max_length:,} characters, not {len(text):,}")
        for position, character in enumerate(text, start=1):
            kind = unicodedata.category(character)
            if kind == "Cs" or (kind == "Cc" and character not in "\t\n"):
                name = "half of a surrogate pair" if kind == "Cs" else "a control character"
                raise RecipeError(field, f"must not hold {name} (U+{ord(character):04X}, character {position})")
        return text

    def read(self, text: str) -> str:
        """Nothing to read: text is text."""
        return text


Rule: TypeAlias = Whole | Number | Choice | Name | Text
