"""Between two pictures: how much of another seed's noise, and of another prompt, a recipe takes.

A share of 0 is exactly the recipe without it and 1 exactly the recipe with the other seed or prompt, so that both ends
are drawn, kept and linked like any other recipe. A stage with a seed or a prompt of its own takes no share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from imagen_core.stage_recipe import PROMPT, SEED
from imagen_core.validation import Number, RecipeError, Rule, Whole

if TYPE_CHECKING:
    from imagen_core.recipe import Recipe

VARIATION_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "variation": Number(0, 1),
        "variation_seed": Whole(SEED.low, SEED.high, optional=True),
        "second_share": Number(0, 1),
        "second_prompt": PROMPT,
    }
)


@dataclass(frozen=True)
class Other:
    """The other end, and the share that it has, above 0 and below 1."""

    end: int | str
    share: float


def check_variation(recipe: Recipe) -> None:
    """Put what a frozen recipe that is being made takes of another seed and prompt into its one form.

    Raises `RecipeError` where a share is asked for of nothing.
    """
    if recipe.variation == 0:
        object.__setattr__(recipe, "variation_seed", None)
    elif recipe.variation_seed is None:
        raise RecipeError("variation_seed", f"must be given, because variation is {recipe.variation:g}, not 0")
    if recipe.second_share == 0:
        object.__setattr__(recipe, "second_prompt", "")
    elif not recipe.second_prompt.strip():
        raise RecipeError("second_prompt", f"must be given, because second_share is {recipe.second_share:g}, not 0")


def seeds(recipe: Recipe, stage: str) -> tuple[int, Other | None]:
    """The seed of a stage's noise, and the other one where there is a share of it."""
    own = recipe.stage(stage).seed
    if own is not None or recipe.variation_seed is None:
        return (recipe.seed if own is None else own), None
    if recipe.variation == 1:
        return recipe.variation_seed, None
    return recipe.seed, Other(recipe.variation_seed, recipe.variation)


def prompts(recipe: Recipe, stage: str) -> tuple[str, Other | None]:
    """The prompt of a stage, and the other one where there is a share of it."""
    own = recipe.stage(stage).prompt
    if own is not None or recipe.second_share == 0:
        return (recipe.prompt if own is None else own), None
    if recipe.second_share == 1:
        return recipe.second_prompt, None
    return recipe.prompt, Other(recipe.second_prompt, recipe.second_share)
