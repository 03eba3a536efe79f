"""What one recipe may ask for: pixels, because of the memory, and steps of work, because others wait."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from imagen_core.stage_recipe import SIZES, STEP_LISTS
from imagen_core.validation import RecipeError

if TYPE_CHECKING:
    from imagen_core.recipe import Recipe

MAX_PIXELS = 16 * 1024**2  # of all images of the last stage together: what their tensors may take of the memory
MAX_COST = 20_000  # of a whole recipe, see `cost`
_WEIGHTS: Mapping[str, int] = MappingProxyType({"base": 1, "sr256": 1, "sr1024": 4})


def cost(recipe: Recipe) -> int:
    """Steps of work for all images: a step at 1024 pixels counts as 4."""
    return recipe.num_images * sum(_costs(recipe).values())


def check_limits(recipe: Recipe) -> None:
    """Raise `RecipeError`, with what could be lowered, where a recipe asks for more than `MAX_PIXELS` or `MAX_COST`."""
    images, size = recipe.num_images, SIZES[recipe.last_stage]
    if images * size**2 > MAX_PIXELS:
        allowed = f"must be at most {MAX_PIXELS // size**2} at {size} pixels"
        raise RecipeError("num_images", f"{allowed}, not {images}: lower it, or choose a smaller last_stage")
    if cost(recipe) > MAX_COST:
        costs = _costs(recipe)
        most = max(costs, key=lambda name: costs[name])
        field = "spacing" if recipe.stage(most).spacing in STEP_LISTS else "num_steps"
        lower = f"lower it, or {most}.{field} of {getattr(recipe.stage(most), field)}"
        asked = f"costs {cost(recipe):,} steps of work where {MAX_COST:,} are allowed"
        raise RecipeError("num_images", f"of {images} {asked}: {lower}")


def _costs(recipe: Recipe) -> dict[str, int]:
    """Steps of work for one image by stage."""
    return {name: recipe.planned_steps(name) * _WEIGHTS[name] for name in recipe.stages()}
