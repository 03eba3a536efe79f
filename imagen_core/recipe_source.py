"""What a person hands over to say which recipe: a PNG made here, a JSON file or a link."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from imagen_core import link
from imagen_core.check import Shared, shared
from imagen_core.metadata import MetadataError, quoted, read_check, read_limited, read_recipe
from imagen_core.recipe import MAX_JSON_LENGTH, Recipe


def read_source(source: str) -> tuple[Recipe, Shared | None]:
    """The recipe in a PNG, a JSON file or a link, and what its picture was, where PNG or link tell it.

    Raises `RecipeError` or `MetadataError`.
    """
    query = _query(source)
    if query is not None:
        recipe = Recipe.from_link(query)
        return recipe, shared(recipe, link.check_in(query))
    path = Path(source)
    if path.suffix.lower() != ".json":
        recipe, check = read_recipe(path), read_check(path)
        return recipe, None if check is None else Shared(recipe, check)
    try:
        return Recipe.from_json(read_limited(path, 4 * MAX_JSON_LENGTH).decode("utf-8-sig")), None
    except UnicodeDecodeError:
        raise MetadataError(f"{quoted(path)} is not UTF-8 text.") from None


def _query(source: str) -> str | None:
    """The query string where `source` is a link, or only that part of one."""
    if source.startswith(("http://", "https://")):
        return urlsplit(source).query
    return source if source.startswith("?") or (not os.path.exists(source) and "=" in source) else None
