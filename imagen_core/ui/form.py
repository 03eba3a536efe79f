"""The page's controls and a recipe, there and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gradio.components import Component

from imagen_core.fork import FORK_RULES, Fork
from imagen_core.recipe import RULES, STAGES, Recipe, RecipeError
from imagen_core.validation import shown

# Typed as text, because these may be empty: then the stage has none of its own.
_OPTIONAL = frozenset(f"{stage}.{field}" for stage in STAGES for field in ("prompt", "seed")) | {"variation_seed"}


class FormError(RecipeError):
    """A value of the form that no recipe may hold; its text calls the controls what the page calls them."""

    def __init__(self, error: RecipeError, text: str) -> None:
        super().__init__(error.field, error.problem)
        self.text = text

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Form:
    """Every control by the dotted name of the recipe's value that it sets: "seed", "sr256.num_steps".

    What has no control keeps the value that `default` has. `fork` is the unseen one that holds where the next run
    leaves an earlier one, as the browser writes it: "base.7?" or "base.7.restarted?", and the link of that run.
    """

    controls: Mapping[str, Component]
    default: Recipe
    fork: Component | None = None

    def recipe(self, values: Mapping[Component, object]) -> Recipe:
        """The recipe that the controls show. Raises `FormError`; the values come from a browser, so may be any."""
        try:
            return self._recipe(values)
        except RecipeError as error:
            raise FormError(error, self._labelled(str(error))) from error

    def _labelled(self, text: str) -> str:
        """A sentence about a recipe, with the labels of the controls for the names of values: "Steps (sr256)"."""
        labels: dict[str, str] = {}
        for name, control in self.controls.items():
            stage, dot, _ = name.partition(".")
            label = str(control.label or name)
            labels[name] = f"{label} ({stage})" if dot and control.label else label
        known = "|".join(re.escape(name) for name in sorted(labels, key=len, reverse=True) if re.search(r"[._]", name))
        first = text.partition(" ")[0]
        text = labels.get(first, first) + text[len(first) :]
        return re.sub(rf"(?<![\w.])(?:{known})(?![\w.]*\w)", lambda found: labels[found[0]], text) if known else text

    def _recipe(self, values: Mapping[Component, object]) -> Recipe:
        nested: dict[str, object] = {}
        stages: dict[str, dict[str, object]] = {stage: {} for stage in STAGES}
        for name, control in self.controls.items():
            value = values[control]
            if name in _OPTIONAL and isinstance(value, str):
                value = RULES[name].read(value) if value else None
            stage, dot, field = name.partition(".")
            if dot:
                stages[stage][field] = value
            else:
                nested[name] = value
        fork = None if self.fork is None else values.get(self.fork)
        if not fork:
            return self.default.updated(nested | stages)
        left = self.fork_in(fork)
        return left.parent.forked(left.stage, left.step, nested | stages, left.history)

    def fork_in(self, text: object) -> Fork:
        """Where the next run leaves which other one, as the browser wrote it. Raises `RecipeError`."""
        place, mark, link = text.partition("?") if isinstance(text, str) else ("", "", "")
        stage, _, step_and_history = place.partition(".")
        step, _, history = step_and_history.partition(".")
        if not mark:
            raise RecipeError("fork", f"must be a place and a link, not {shown(text)}")
        number: Any = FORK_RULES["step"].read(step)
        return Fork(Recipe.from_link(link), stage, number, history or None)

    def show(self, recipe: Recipe) -> dict[Component, object]:
        """What the controls must show for `recipe`."""
        values: dict[Component, object] = {}
        for name, control in self.controls.items():
            stage, dot, field = name.partition(".")
            value = getattr(recipe.stage(stage), field) if dot else getattr(recipe, name)
            values[control] = ("" if value is None else str(value)) if name in _OPTIONAL else value
        return values
