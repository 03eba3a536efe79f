"""What the text encoder will read of a prompt, before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from imagen_core.recipe import Recipe, RecipeError
from imagen_core.ui.errors import sentence
from imagen_core.ui.model import BackgroundModel


def prompt_reader(model: BackgroundModel) -> Callable[[Any], dict[str, object]]:
    """The function that the browser calls while a prompt is typed."""

    def read_prompt(prompt: Any) -> dict[str, object]:
        """The number of tokens, the part that is cut off, and the unknown words; or the problem; or {}."""
        try:
            text = Recipe(prompt=prompt).prompt
            if not text:
                return {}
            if model.failure:
                return {"problem": sentence(model.failure)}
            if not model.ready:
                return {"loading": True}
            reading = model.get().tokens(text)
        except RecipeError as error:
            return {"problem": str(error)}
        except Exception as error:
            return {"problem": sentence(error)}
        return {
            "num_tokens": reading.num_tokens,
            "max_tokens": reading.max_tokens,
            "kept": reading.kept,
            "cut": reading.cut,
            "unknown": list(reading.unknown),
        }

    return read_prompt
