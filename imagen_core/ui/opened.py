"""A recipe from outside, or a sweep, on its way into the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imagen_core.check import Shared
from imagen_core.contact_sheet import is_sheet, read_sweep
from imagen_core.metadata import Carried
from imagen_core.recipe import Recipe
from imagen_core.sweep import Sweep
from imagen_core.ui.opening import recipe_in_address, sweep_in_address


@dataclass(frozen=True)
class Opened:
    """A recipe from outside, what its picture was, and the sentence that tells that it is there.

    sweep: that of which the recipe is the base, where one was opened.
    """

    recipe: Recipe
    shared: Shared | None
    text: str
    sweep: Sweep | None = None

    def with_model(self, model: str) -> Opened:
        """The same for another model, of which nothing says what it draws."""
        recipe = _with_model(self.recipe, model)
        sweep = None if self.sweep is None else replace(self.sweep, recipe=recipe)
        press = "Generate" if sweep is None else "Draw"
        return Opened(recipe, None, f"Opened for the model {model}: press {press}.", sweep)

    @property
    def name(self) -> str:
        """What a visitor reads of it in a question."""
        prompt = self.recipe.prompt
        short = prompt if len(prompt) <= 60 else f"{prompt[:60]}…"
        return f"“{short}”" if prompt else "a recipe without a prompt"


def in_address(query: Sequence[tuple[str, str]]) -> Opened | None:
    """The recipe or the sweep in the decoded names and texts of an address, or None. Raises `RecipeError`."""
    sweep = sweep_in_address(query)
    if sweep is not None:
        return Opened(sweep.recipe, None, "Opened a sweep: press Draw.", sweep)
    found = recipe_in_address(query)
    return None if found is None else Opened(*found, "Opened a link.")


def carried_by(path: Path) -> Opened:
    """What a PNG carries: its recipe, or the sweep, where it is a sheet. Raises `MetadataError`."""
    carried = Carried(path)
    if is_sheet(carried):
        sweep = read_sweep(carried)
        return Opened(sweep.recipe, None, "Opened the sheet's sweep, and the recipe that it varies.", sweep)
    recipe, check = carried.recipe(), carried.check()
    was = None if check is None else Shared(recipe, check)
    return Opened(recipe, was, "Opened the picture's recipe: press Generate to draw it again.")


def _with_model(recipe: Recipe, model: str) -> Recipe:
    """The recipe and, where it is a fork, its parents for another model."""
    fork = recipe.fork
    if fork is not None:
        fork = replace(fork, parent=_with_model(fork.parent, model))
    return replace(recipe, model=model, fork=fork)
