"""Imagen: a T5-conditioned cascade of diffusion models, 64 to 256 to 1024 pixels (arXiv 2205.11487).

from imagen_core import Imagen

imagen = Imagen.from_pretrained("bundled")
imagen.draw(imagen.recipe("a red apple", seed=7))[0].save("apple.png")  # a PNG that carries its recipe
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
from imagen_core.metadata import MetadataError, read_recipe
from imagen_core.picture import Picture
from imagen_core.recipe import Recipe, RecipeError, StageRecipe

if TYPE_CHECKING:
    from imagen_core.imagen import Imagen

__all__ = (
    "Event",
    "Imagen",
    "MetadataError",
    "Picture",
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
    "read_recipe",
)


def __getattr__(name: str) -> Any:
    # Recipes and events are there in milliseconds; torch is imported with the first use of Imagen.
    if name == "Imagen":
        from imagen_core.imagen import Imagen

        return Imagen
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
