"""Imagen: a T5-conditioned cascade of diffusion models, 64 to 256 to 1024 pixels (arXiv 2205.11487).

from imagen_core import Imagen

Imagen.from_pretrained("bundled").generate_image("a red apple").save("apple.png")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagen_core.events import (
    Event,
    Preview,
    PromptEncoded,
    StageError,
    StageFinished,
    StageStarted,
    StepStats,
    WordAttention,
)
from imagen_core.recipe import Recipe, RecipeError, StageRecipe

if TYPE_CHECKING:
    from imagen_core.imagen import Imagen

__all__ = (
    "Event",
    "Imagen",
    "Preview",
    "PromptEncoded",
    "Recipe",
    "RecipeError",
    "StageError",
    "StageFinished",
    "StageRecipe",
    "StageStarted",
    "StepStats",
    "WordAttention",
)


def __getattr__(name: str) -> Any:
    # Recipes and events are there in milliseconds; torch is imported with the first use of Imagen.
    if name == "Imagen":
        from imagen_core.imagen import Imagen

        return Imagen
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
