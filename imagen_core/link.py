"""A recipe's values as the query string of a link, there and back.

A link written here begins with `version=1` and is complete. It names every value that could ever have another
default, and leaves out only what is off (`_OFF`), so that it draws the same picture when the defaults have changed.
Its last value is a word, so that a link cut off by a chat program is refused instead of drawing something else. A link
without a version was typed by a person: what it does not name is the default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote_plus, unquote_plus

from imagen_core.validation import RecipeError, Rule, shown

MAX_LINK_LENGTH = 100_000  # characters; five prompts of 1,000 emoji, percent-encoded, fit
_OFF: Mapping[str, object] = {"negative_prompt": "", "num_images": 1}
_STAGE_OFF: Mapping[str, object] = {
    "guidance_scale": 1.0,
    "guidance_start": 0.0,
    "guidance_end": 1.0,
    "aug_level": 0.0,
    "prompt": None,
    "seed": None,
}
_TWO_WAYS = "must not come as a whole and in parts"
_LAST = "thresholding"  # a word: cutting it off leaves no other valid word


def write(values: Mapping[str, object]) -> str:
    """The query string, without "?", of a recipe's values, nested as in its JSON: {"seed": 7, "base": {...}}."""
    parts = []
    for name, value in values.items():
        if not isinstance(value, Mapping):
            if name not in _OFF or value != _OFF[name]:
                parts.append(f"{name}={_text(value)}")
            continue
        for field in sorted(value, key=lambda field: field == _LAST):
            if field not in _STAGE_OFF or value[field] != _STAGE_OFF[field]:
                parts.append(f"{name}.{field}={_text(value[field])}")
    return "&".join(parts)


def read(query: str | Mapping[str, str], rules: Mapping[str, Rule]) -> dict[str, object]:
    """The values in a link's query string, nested; `rules` has a rule for every dotted name ("sr256.num_steps").

    Raises `RecipeError` for text that is no query string, for a name that is unknown or comes twice, and for a link
    with a version that lacks a value. The values themselves are not checked here.
    """
    texts = _decoded(query) if isinstance(query, str) else dict(query)
    values: dict[str, object] = {}
    for name, text in texts.items():
        if type(name) is not str or type(text) is not str:
            raise RecipeError("link", f"must hold text only, not {shown(text if type(name) is str else name)}")
        if len(text) > MAX_LINK_LENGTH:
            raise RecipeError("link", f"must be at most {MAX_LINK_LENGTH:,} characters, not {len(text):,}")
        values[name] = rules[name].read(text) if name in rules else text
    if values.get("version") == 1:
        off = {name: value for name in rules if (value := _off(name)) is not ...}
        missing = [name for name in rules if name not in values and name not in off]
        if missing:
            raise RecipeError("link", f"is not whole, {missing[0]} is missing: copy it again, or leave out its version")
        values = off | values
    return nested(values)


def nested(values: Mapping[str, object]) -> dict[str, object]:
    """{"sr256.num_steps": 12} as {"sr256": {"num_steps": 12}}. Raises `RecipeError` where two names contradict."""
    tree: dict[str, object] = {}
    for name, value in values.items():
        parent, dot, field = name.partition(".")
        if not dot:
            if name in tree:
                raise RecipeError(name, _TWO_WAYS)
            tree[name] = value
            continue
        branch = tree.setdefault(parent, {})
        if not isinstance(branch, dict):
            raise RecipeError(parent, _TWO_WAYS)
        branch[field] = value
    return tree


def _off(name: str) -> object:
    """The value that `name` has where a complete link leaves it out; ... where it must be there."""
    stage, dot, field = name.partition(".")
    return _STAGE_OFF.get(field, ...) if dot else _OFF.get(stage, ...)


def _text(value: object) -> str:
    """A value as text of a link: 4.0 as 4, spaces as +."""
    return quote_plus(repr(value).removesuffix(".0") if isinstance(value, float) else str(value), safe=",")


def _decoded(query: str) -> dict[str, str]:
    """The names and texts of a query string, in their order."""
    if len(query) > MAX_LINK_LENGTH:
        raise RecipeError("link", f"must be at most {MAX_LINK_LENGTH:,} characters, not {len(query):,}")
    texts: dict[str, str] = {}
    for part in query.removeprefix("?").split("&"):
        if not part:
            continue
        encoded_name, equals, encoded_text = part.partition("=")
        if not equals:
            raise RecipeError("link", f"must be made of name=value, not {shown(part)}")
        if re.search(r"%(?![0-9A-Fa-f]{2})", part):
            raise RecipeError("link", f"has a % that is not followed by two hexadecimal digits, in {shown(part)}")
        try:
            name, text = (unquote_plus(piece, errors="strict") for piece in (encoded_name, encoded_text))
        except UnicodeDecodeError:
            raise RecipeError("link", f"has percent-encoded bytes that are not UTF-8, in {shown(part)}") from None
        if name in texts:
            raise RecipeError("link", f"must not hold {shown(name)} twice")
        texts[name] = text
    return texts
