"""An axis of a sweep: a value of a recipe, and what it is in each row or column, as a person types it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from imagen_core.prompt_variations import variations
from imagen_core.recipe import RULES, STAGES, RecipeError
from imagen_core.validation import Number, Text, Whole, shown, unknown

MAX_VALUES = 16  # of an axis
MAX_TEXT = 20_000  # characters of an axis
# What a cell's picture may be swept over. Others would change what a cell is, and the base enlarges no picture.
FIELDS = tuple(name for name in RULES if name not in ("version", "num_images", "model", "last_stage", "base.aug_level"))
_SHARES = ("variation", "second_share")
_RANGE = re.compile(r"(-?[0-9.]{1,20}?)\.\.(-?[0-9.]{1,20}?)(?:\s+step\s+([0-9.]{1,20}))?")


@dataclass(frozen=True)
class Axis:
    """A value of the recipe by its dotted name, and what it is in each row or column: 1 to 16 different values.

    Raises `RecipeError`.
    """

    name: str
    values: tuple[object, ...]

    def __post_init__(self) -> None:
        if self.name not in FIELDS:
            raise unknown(self.name, FIELDS)
        object.__setattr__(self, "values", tuple(RULES[self.name].check(self.name, value) for value in self.values))
        if not 1 <= len(self.values) <= MAX_VALUES:
            raise RecipeError(self.name, f"must have 1 to {MAX_VALUES} values in a sweep, not {len(self.values)}")
        if len(set(self.values)) < len(self.values):
            raise RecipeError(self.name, "must not have the same value twice in a sweep")
        if read(self.name, self.text) != self.values:
            raise RecipeError(self.name, "has a value that a sweep cannot write: leave out line breaks and {a|b}")

    @classmethod
    def of(cls, name: str, text: str) -> Axis:
        """The axis that a person typed: "1, 2, 4", "1..9 step 2", and for words as `variations` reads them."""
        if name not in FIELDS:
            raise unknown(name, FIELDS)
        return cls(name, read(name, text))

    @property
    def text(self) -> str:
        """The values as `of` reads them."""
        return ("\n" if isinstance(RULES[self.name], Text) else ",").join(self.labels)

    @property
    def labels(self) -> tuple[str, ...]:
        """The values as a person reads them."""
        return tuple(repr(v).removesuffix(".0") if isinstance(v, float) else str(v) for v in self.values)

    @property
    def stage(self) -> int:
        """The place of the first stage whose pictures this changes."""
        stage, dot, _ = self.name.partition(".")
        return STAGES.index(stage) if dot else 0


def least_shares(axes: Sequence[Axis]) -> dict[str, object]:
    """What the varied recipe must have where a share of another seed or prompt is varied: the first share above 0.

    A recipe without a share has no other end, either.
    """
    varied = {axis.name: next(filter(None, axis.values), None) for axis in axes if axis.name in _SHARES}
    return {name: share for name, share in varied.items() if share is not None}


def read(name: str, text: str) -> tuple[object, ...]:
    """The values in `text`, typed but not all checked. Raises `RecipeError`."""
    if len(text) > MAX_TEXT:
        raise RecipeError(name, f"must be at most {MAX_TEXT:,} characters in a sweep, not {len(text):,}")
    rule = RULES[name]
    if isinstance(rule, Text):
        return variations(text, name)
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) > MAX_VALUES:
        raise RecipeError(name, f"must have at most {MAX_VALUES} values in a sweep, not {len(parts)}")
    values: list[object] = []
    for part in parts:
        span = _RANGE.fullmatch(part)
        if span is not None and isinstance(rule, Whole | Number):
            values += _steps(name, rule, [end or "1" for end in span.groups()])
        else:
            values.append(rule.read(part))
    return tuple(values)


def _steps(name: str, rule: Whole | Number, ends: Sequence[str]) -> list[object]:
    """The numbers from one to the other, both among them where the step leads there."""
    first, last = (rule.check(name, rule.read(end)) for end in ends[:2])
    step = rule.read(ends[2])
    if first is None or last is None or step is None or isinstance(step, str) or step <= 0:
        kind = "whole number" if isinstance(rule, Whole) else "number"
        raise RecipeError(name, f"must have a {kind} above 0 as the step of a range, not {shown(ends[2])}")
    if last < first:
        order = f"that goes up, as {ends[1]}..{ends[0]} does"
        raise RecipeError(
            name, f"must have a range of 1 to {MAX_VALUES} values {order}, or a list, not {shown('..'.join(ends[:2]))}"
        )
    count = math.floor((last - first) / step + 1e-9) + 1
    if not 1 <= count <= MAX_VALUES:
        raise RecipeError(name, f"must have a range of 1 to {MAX_VALUES} values, not {shown('..'.join(ends[:2]))}")
    return [first + i * step if isinstance(rule, Whole) else round(first + i * step, 12) for i in range(count)]
