"""The page's controls and a recipe, there and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gradio.components import Component

from imagen_core.recipe import RULES, STAGES, Recipe

# Typed as text, because these may be empty: then the stage has none of its own.
_OPTIONAL = frozenset(f"{stage}.{field}" for stage in STAGES for field in ("prompt", "seed"))


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
            if name in _OPTIONAL and isinstance(value, str):
                value = RULES[name].read(value) if value else None
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
            values[control] = ("" if value is None else str(value)) if name in _OPTIONAL else value
        return values
