"""A sweep: one recipe with one or two of its values varied, the same noise in every cell; a link there and back."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote_plus

from imagen_core import link
from imagen_core.recipe import MAX_COST, SIZES, Recipe, RecipeError
from imagen_core.sweep_axis import Axis
from imagen_core.validation import shown

MAX_CELLS = 64
BATCH = 8  # cells that an accelerator draws at once
_AXES = ("sweep.x", "sweep.y")


@dataclass(frozen=True)
class Sweep:
    """A recipe of one image, without a fork, and one or two axes: the first goes along a row, the second down.

    Raises `RecipeError`, also for more than 64 cells, where all of them together cost more than a recipe may, and where
    an axis has two values that give the same pictures whatever the other axis is. Where that is so beside some values
    of the other alone, as of percentile beside static and dynamic thresholding, the sheet shows it.
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
        cells = [self.cell(index) for index in range(self.columns * self.rows)]
        if len(set(cells)) < len(cells):
            raise RecipeError("sweep", "has cells that are the same: what it varies changes nothing in this recipe")
        self._check_axes([cell.stage_key(cell.last_stage) for cell in cells])
        cost = sum(cell.cost for cell in cells)
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
        places = zip(self.axes, (column, row), strict=False)
        # At once, because a value of one axis may need that of the other: variation and variation_seed.
        return self.recipe.updated(link.nested({axis.name: axis.values[place] for axis, place in places}))

    def _check_axes(self, pictures: Sequence[object]) -> None:
        """Refuse an axis that changes nothing, given what determines the picture of each cell."""
        by_column = [tuple(pictures[column :: self.columns]) for column in range(self.columns)]
        by_row = list(zip(*by_column, strict=True))
        for axis, lines in zip(self.axes, (by_column, by_row), strict=False):
            if len(set(lines)) < len(lines):
                raise RecipeError("sweep", f"has cells that are the same: {axis.name} changes nothing in this recipe")

    def order(self) -> list[int]:
        """The cells as they are best drawn: those that share their earlier stages follow each other.

        The cascade keeps a stage's pictures by what determines them, so that each is drawn once.
        """
        cells = list(range(self.columns * self.rows))
        if len(self.axes) > 1 and self.axes[0].stage < self.axes[1].stage:
            cells.sort(key=lambda index: (index % self.columns, index // self.columns))
        return cells

    def batches(self, size: int) -> Batches:
        """The cells in their order, at most `size` to be drawn together, which an accelerator does in one go.

        On a processor, where images go one by one, it is 1.
        """
        order = self.order()
        return Batches([tuple(order[start : start + size]) for start in range(0, len(order), size)])

    def up_to(self, size: int) -> Sweep:
        """This sweep as far as cells of `size` pixels a side show it.

        It ends at the first stage of at least that size, or the first one behind it where all that is varied has
        changed what it changes.
        """
        cells = [self.cell(index) for index in range(self.columns * self.rows)]
        different = len({cell.stage_key(cell.last_stage) for cell in cells})
        for place, name in enumerate(self.recipe.stages()):
            reached = SIZES[name] >= size and all(axis.stage <= place for axis in self.axes)
            if reached and len({cell.stage_key(name) for cell in cells}) == different:
                return replace(self, recipe=replace(self.recipe, last_stage=name))
        return self

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


class Batches:
    """Cells that are to be drawn together, each once, in their order."""

    def __init__(self, batches: Sequence[tuple[int, ...]]) -> None:
        self._waiting = deque(batches)

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> tuple[int, ...]:
        if not self._waiting:
            raise StopIteration
        return self._waiting.popleft()

    def one_by_one(self, cells: Sequence[int]) -> None:
        """Give cells that failed together once more, each alone, which takes less memory."""
        self._waiting.extendleft((cell,) for cell in reversed(cells))


def is_sweep(names: Sequence[str]) -> bool:
    """Whether a link with these names is one of a sweep."""
    return any(name in _AXES for name in names)


def _axis(text: object) -> Axis:
    """The axis in a link: "seed:1,2,3"."""
    if not isinstance(text, str) or ":" not in text:
        raise RecipeError("sweep", f"must be made of name:values, not {shown(text)}")
    name, _, values = text.partition(":")
    return Axis.of(name, values)
