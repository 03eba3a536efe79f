"""A sweep: one recipe with one or two of its values varied, the same noise in every cell; a link there and back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote_plus

from imagen_core import link
from imagen_core.prompt_variations import variations
from imagen_core.recipe import MAX_COST, RULES, STAGES, Recipe, RecipeError
from imagen_core.validation import Number, Text, Whole, shown, unknown

MAX_VALUES = 16  # of an axis
MAX_CELLS = 64
MAX_TEXT = 20_000  # characters of an axis
# What a cell's picture may be swept over; the others would change what a cell is.
FIELDS = tuple(name for name in RULES if name not in ("version", "num_images", "model", "last_stage"))
_AXES = ("sweep.x", "sweep.y")
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


@dataclass(frozen=True)
class Sweep:
    """A recipe of one image, without a fork, and one or two axes: the first goes along a row, the second down.

    Raises `RecipeError`, also for more than 64 cells, and where all of them together cost more than a recipe may.
    """

    recipe: Recipe
    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "recipe", replace(self.recipe, fork=None, num_images=1))
        if not 1 <= len(self.axes) <= len(_AXES):
            raise RecipeError("sweep", f"must have one or two axes, not {len(self.axes)}")
        if len({axis.name for axis in self.axes}) < len(self.axes):
            raise RecipeError("sweep.y", f"must be another value than {self.axes[0].name}")
        if self.columns * self.rows > MAX_CELLS:
            raise RecipeError("sweep", f"must have at most {MAX_CELLS} cells, not {self.columns * self.rows}")
        for axis in self.axes:
            if axis.stage >= len(self.recipe.stages()):
                raise RecipeError(axis.name, f"changes nothing, for last_stage is {self.recipe.last_stage}")
        cost = sum(self.cell(index).cost for index in range(self.columns * self.rows))
        if cost > MAX_COST:
            raise RecipeError("sweep", f"costs {cost:,} steps of work where {MAX_COST:,} are allowed: take fewer cells")

    @property
    def columns(self) -> int:
        """The number of values of the first axis."""
        return len(self.axes[0].values)

    @property
    def rows(self) -> int:
        """The number of values of the second axis, 1 where there is none."""
        return len(self.axes[1].values) if len(self.axes) > 1 else 1

    def cell(self, index: int) -> Recipe:
        """The recipe of a cell; cells are counted along the rows, from 0."""
        row, column = divmod(index, self.columns)
        if not 0 <= row < self.rows:
            raise IndexError(f"cell {index} of {self.columns * self.rows}")
        recipe = self.recipe
        for axis, place in zip(self.axes, (column, row), strict=False):
            recipe = recipe.updated(link.nested({axis.name: axis.values[place]}))
        return recipe

    def order(self) -> list[int]:
        """The cells as they are best drawn: those that share their earlier stages follow each other.

        The cascade keeps a stage's pictures by what determines them, so that each is drawn once.
        """
        cells = list(range(self.columns * self.rows))
        if len(self.axes) > 1 and self.axes[0].stage < self.axes[1].stage:
            cells.sort(key=lambda index: (index % self.columns, index // self.columns))
        return cells

    def to_link(self) -> str:
        """The query string, without "?", of a link that holds the whole sweep.

        The axes stand between its version and the rest of the recipe, so that one that was cut off is refused.
        """
        axes = (
            f"{name}={quote_plus(f'{axis.name}:{axis.text}')}" for name, axis in zip(_AXES, self.axes, strict=False)
        )
        version, _, rest = self.recipe.to_link().partition("&")
        return "&".join((version, *axes, rest))

    @classmethod
    def from_link(cls, query: str | Mapping[str, str]) -> Sweep:
        """The sweep in a link's query string, or in its decoded names and texts. Raises `RecipeError`."""
        texts = dict(link.decoded(query) if isinstance(query, str) else query)
        found = [texts.pop(name) for name in _AXES if name in texts]
        axes = tuple(_axis(text) for text in found)
        return cls(Recipe.from_link(texts), axes)


def is_sweep(names: Sequence[str]) -> bool:
    """Whether a link with these names is one of a sweep."""
    return any(name in _AXES for name in names)


def _axis(text: object) -> Axis:
    """The axis in a link: "seed:1,2,3"."""
    if not isinstance(text, str) or ":" not in text:
        raise RecipeError("sweep", f"must be made of name:values, not {shown(text)}")
    name, _, values = text.partition(":")
    return Axis.of(name, values)


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
    if first is None or last is None or isinstance(step, str) or step <= 0:
        raise RecipeError(name, f"must have a step above 0 in a range, not {shown(ends[2])}")
    count = int((last - first) / step + 1e-9) + 1
    if not 1 <= count <= MAX_VALUES:
        raise RecipeError(name, f"must have a range of 1 to {MAX_VALUES} values, not {shown('..'.join(ends[:2]))}")
    return [first + i * step if isinstance(rule, Whole) else round(first + i * step, 6) for i in range(count)]
