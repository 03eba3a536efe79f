"""The page's controls and a recipe, there and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gradio.components import Component

from imagen_core.recipe import STAGES, Recipe

_OPTIONAL_TEXT = frozenset(f"{stage}.prompt" for stage in STAGES)


@dataclass(frozen=True)
class Form:
    """Every control by the dotted name of the recipe's value that it sets: "seed", "sr256.num_steps".

    What has no control keeps the value that `default` has.
    """

    controls: Mapping[str, Component]
    default: Recipe

    def recipe(self, values: Mapping[Component, object]) -> Recipe:
        """The recipe that the controls show. Raises `RecipeError`; the values come from a browser, so may be any."""
        nested: dict[str, object] = {}
        stages: dict[str, dict[str, object]] = {stage: {} for stage in STAGES}
        for name, control in self.controls.items():
            value = values[control]
            if name in _OPTIONAL_TEXT and value == "":
                value = None  # an empty prompt of a stage's own is none
            stage, dot, field = name.partition(".")
            if dot:
                stages[stage][field] = value
            else:
                nested[name] = value
        return self.default.updated(nested | stages)

    def show(self, recipe: Recipe) -> dict[Component, object]:
        """What the controls must show for `recipe`."""
        values: dict[Component, object] = {}
        for name, control in self.controls.items():
            stage, dot, field = name.partition(".")
            value = getattr(recipe.stage(stage), field) if dot else getattr(recipe, name)
            values[control] = "" if value is None and name in _OPTIONAL_TEXT else value
        return values
