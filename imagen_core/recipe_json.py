"""The JSON of a recipe, read from whoever wrote it."""

from __future__ import annotations

import json
from typing import Any

from imagen_core.validation import RecipeError, shown

# Characters; the six prompts of a fork and of seven generations of parents fit, all of them quotation marks, which JSON
# writes as two characters, and six prompts of emoji that are escaped.
MAX_JSON_LENGTH = 120_000


def read_json(text: str) -> Any:
    """The values in `text`. Raises `RecipeError`, for a name that comes twice too."""
    if len(text) > MAX_JSON_LENGTH:
        raise RecipeError("recipe", f"must be at most {MAX_JSON_LENGTH:,} characters of JSON, not {len(text):,}")
    try:
        return json.loads(text, object_pairs_hook=_distinct)
    except RecipeError:
        raise
    except (ValueError, RecursionError):
        raise RecipeError("recipe", f"must be JSON, not {shown(text)}") from None


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The dict of a JSON object whose names are all different."""
    values: dict[str, object] = {}
    for name, value in pairs:
        if name in values:
            raise RecipeError("recipe", f"must not hold {shown(name)} twice")
        values[name] = value
    return values
