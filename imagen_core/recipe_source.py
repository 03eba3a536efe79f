"""What a person hands over to say which recipe or sweep: a PNG made here, a JSON file or a link."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from imagen_core import link
from imagen_core.address import ours
from imagen_core.check import Shared, shared
from imagen_core.metadata import Carried, MetadataError, quoted, read_limited
from imagen_core.recipe import MAX_JSON_LENGTH, Recipe, RecipeError
from imagen_core.sweep import Sweep, is_sweep
from imagen_core.sweep_axis import Axis


@dataclass(frozen=True)
class Source:
    """What was handed over.

    recipe: None where nothing was. shared: what its picture was, where PNG or link tell it. axes: those along which a
    sweep varies the recipe, where it is a sheet or a sweep's link.
    """

    recipe: Recipe | None = None
    shared: Shared | None = None
    axes: tuple[Axis, ...] = ()


def read_source(source: str) -> Source:
    """What is in a PNG, a JSON file or a link. Raises `RecipeError` or `MetadataError`."""
    from imagen_core.contact_sheet import is_sheet, read_sweep  # here, because it brings Pillow

    query = _query(source)
    if query is not None:
        texts = dict(ours(link.decoded(query).items()))
        if not texts:
            raise RecipeError("link", "holds no recipe: of a picture, fetch the file and give its name")
        if is_sweep(list(texts)):
            return _swept(Sweep.from_link(texts))
        recipe = Recipe.from_link(texts)
        return Source(recipe, shared(recipe, link.check_in(query)))
    path = Path(source)
    if path.suffix.lower() != ".json":
        carried = Carried(path)
        if is_sheet(carried):
            return _swept(read_sweep(carried))
        recipe, check = carried.recipe(), carried.check()
        return Source(recipe, None if check is None else Shared(recipe, check))
    try:
        return Source(Recipe.from_json(read_limited(path, 4 * MAX_JSON_LENGTH).decode("utf-8-sig")))
    except UnicodeDecodeError:
        raise MetadataError(f"{quoted(path)} is not UTF-8 text.") from None


def _swept(sweep: Sweep) -> Source:
    return Source(sweep.recipe, axes=sweep.axes)


def _query(source: str) -> str | None:
    """The query string where `source` is a link, or only that part of one."""
    if source.startswith(("http://", "https://")):
        try:
            return urlsplit(source).query
        except ValueError as error:
            raise RecipeError("link", f"is no address: {error}") from None
    if source.startswith("?"):
        return source
    address, mark, query = source.partition("?")
    if mark and "=" in query and "=" not in address and not os.path.exists(source):
        return query  # of an address without its "http://"
    return source if "=" in source and not _is_file(source) else None


def _is_file(source: str) -> bool:
    """Whether text with "=" names a file: one that is there, or else what looks like a file more than like a link.

    A link begins with a name, in which there is no folder, and a whole one has several values.
    """
    before, _, _ = source.partition("=")
    looks = any(separator in before for separator in (os.sep, os.altsep) if separator) or (
        source.lower().endswith((".png", ".json")) and "&" not in source
    )
    return looks or os.path.exists(source)
