"""A recipe's values as the query string of a link, there and back.

A link written here begins with `version=1` and is complete. It names every value that could ever have another
default, and leaves out only what is off (`_OFF`), so that it draws the same picture when the defaults have changed.
Its last value is a word, so that a link cut off by a chat program is refused instead of drawing something else. A link
without a version was typed by a person: what it does not name is the default. A link may carry a check, too; no recipe
depends on it.

A fork adds its place and the values in which its parent differs: "fork=base.7.restored&parent.seed=3". The parent's
own fork is "parent.fork", and so on.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from imagen_core.validation import RecipeError, Rule, Whole, shown

MAX_LINK_LENGTH = 1_200_000  # characters; all prompts of a fork and its parents fit, each in twelve: %F0%9F%98%80
MAX_NAMES = 1_000  # a fork of the last generation whose parents have no value in common has some 370
_MAX_NAME = 200  # characters; parent., seven times, and sr1024.guidance_start are 70
_OFF: Mapping[str, object] = {
    "negative_prompt": "",
    "num_images": 1,
    "variation": 0.0,
    "variation_seed": None,
    "second_share": 0.0,
    "second_prompt": "",
}
_STAGE_OFF: Mapping[str, object] = {
    "guidance_scale": 1.0,
    "guidance_start": 0.0,
    "guidance_end": 1.0,
    "aug_level": 0.0,
    "prompt": None,
    "seed": None,
}
CHECK = "check"  # beside the recipe, what `check.py` compares a picture with; it determines nothing
_TWO_WAYS = "must not come as a whole and in parts"
_FORK, _PARENT = "fork", "parent."
_LAST = "thresholding"  # a word: cutting it off leaves no other valid word


def write(values: Mapping[str, object]) -> str:
    """The query string, without "?", of a recipe's values, nested as in its JSON: {"seed": 7, "base": {...}}."""
    plain, stages = [], []
    for name, value in values.items():
        if name == _FORK:
            continue
        if not isinstance(value, Mapping):
            if name not in _OFF or value != _OFF[name]:
                plain.append(f"{name}={_text(value)}")
            continue
        for field in sorted(value, key=lambda field: field == _LAST):
            if field not in _STAGE_OFF or value[field] != _STAGE_OFF[field]:
                stages.append(f"{name}.{field}={_text(value[field])}")
    return "&".join((*plain, *_fork_parts(values), *stages))


def read(query: str | Mapping[str, str], rules: Mapping[str, Rule]) -> dict[str, object]:
    """The values in a link's query string, nested; `rules` has a rule for every dotted name ("sr256.num_steps").

    Raises `RecipeError` for text that is no query string, for a name that is unknown or comes twice, and for a link
    with a version that lacks a value. The values themselves are not checked here.
    """
    texts = decoded(query) if isinstance(query, str) else dict(query)
    check_names(texts)
    of_fork: dict[str, str] = {}
    values: dict[str, object] = {}
    for name, text in texts.items():
        if name == CHECK:
            continue
        if type(name) is not str or type(text) is not str:
            raise RecipeError("link", f"must hold text only, not {shown(text if type(name) is str else name)}")
        if len(text) > MAX_LINK_LENGTH:
            raise RecipeError("link", f"must be at most {MAX_LINK_LENGTH:,} characters, not {len(text):,}")
        if _FORK in texts and (name == _FORK or name.startswith(_PARENT)):
            of_fork[name] = text
        else:
            values[name] = rules[name].read(text) if name in rules else text
    if values.get("version") == 1:
        off = {name: value for name in rules if (value := _off(name)) is not ...}
        missing = [name for name in rules if name not in values and name not in off]
        if missing:
            raise RecipeError("link", f"is not whole, {missing[0]} is missing: copy it again, or leave out its version")
        values = off | values
    tree = nested(values)
    if of_fork:
        if _FORK in tree:
            raise RecipeError(_FORK, _TWO_WAYS)
        tree[_FORK] = _fork(of_fork, values, rules)
    return tree


def _fork_parts(values: Mapping[str, object]) -> list[str]:
    """The parts of a link that tell of the fork in `values`, nested as in a recipe's JSON."""
    fork = values.get(_FORK)
    if not isinstance(fork, Mapping):
        return []
    parent, own = _flat(fork["parent"]), _flat(values)
    differing = [f"{_PARENT}{name}={_text(value)}" for name, value in parent.items() if value != own.get(name)]
    place = f"{_FORK}={fork['stage']}.{fork['step']}.{fork['history']}"
    return [place, *differing, *(f"{_PARENT}{part}" for part in _fork_parts(fork["parent"]))]


def _flat(values: Mapping[str, object]) -> dict[str, object]:
    """{"sr256": {"num_steps": 12}} as {"sr256.num_steps": 12}; without the version and the fork."""
    flat: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and name != _FORK:
            flat.update({f"{name}.{field}": inner for field, inner in value.items()})
        elif name not in ("version", _FORK):
            flat[name] = value
    return flat


def _fork(texts: Mapping[str, str], child: Mapping[str, object], rules: Mapping[str, Rule]) -> dict[str, object]:
    """The fork that `texts` ("fork", "parent.seed", ...) tell of, nested; `child` has the values of its child, flat."""
    stage, step, history = fork_place(texts[_FORK])
    values: dict[str, object] = {name: value for name, value in child.items() if name != "version"}
    of_parent: dict[str, str] = {}
    for prefixed, text in texts.items():
        name = prefixed.removeprefix(_PARENT)
        if prefixed == _FORK:
            continue
        if f"{_PARENT}{_FORK}" in texts and (name == _FORK or name.startswith(_PARENT)):
            of_parent[name] = text
        elif not text and _off(name) is not ...:
            values[name] = _off(name)
        else:
            values[name] = rules[name].read(text) if name in rules else text
    parent = nested(values) | ({_FORK: _fork(of_parent, values, rules)} if of_parent else {})
    fork: dict[str, object] = {"stage": stage, "step": step, "parent": parent}
    return fork if history is None else fork | {"history": history}


def fork_place(text: str) -> tuple[str, Any, str | None]:
    """Stage, number of steps and history, where it is told, of "base.7.restored"; their values are not checked here.

    Raises `RecipeError`.
    """
    place = text.split(".")
    if len(place) not in (2, 3):
        form = "a stage, a number of steps and what is done with the history, base.7.restored"
        raise RecipeError(_FORK, f"must be {form}, not {shown(text)}")
    return place[0], Whole(0, 999).read(place[1]), place[2] if len(place) == 3 else None


def check_in(query: str) -> str | None:
    """The text of the check that a link's query string carries beside its recipe. Raises `RecipeError`."""
    return decoded(query).get(CHECK)


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
    """A value as text of a link: 4.0 as 4, spaces as +, None as nothing."""
    if value is None:
        return ""
    return quote_plus(repr(value).removesuffix(".0") if isinstance(value, float) else str(value), safe=",")


def check_names(names: Collection[object]) -> None:
    """Raise `RecipeError` for more names than a link can have, or longer ones: each costs whoever reads them time."""
    if len(names) > MAX_NAMES:
        raise RecipeError("link", f"must hold at most {MAX_NAMES:,} values, not {len(names):,}")
    for name in names:
        if isinstance(name, str) and len(name) > _MAX_NAME:
            raise RecipeError("link", f"must hold names of at most {_MAX_NAME} characters, not {shown(name)}")


def decoded(query: str) -> dict[str, str]:
    """The names and texts of a query string, in their order. Raises `RecipeError`."""
    if len(query) > MAX_LINK_LENGTH:
        raise RecipeError("link", f"must be at most {MAX_LINK_LENGTH:,} characters, not {len(query):,}")
    texts: dict[str, str] = {}
    parts = query.removeprefix("?").split("&")
    check_names([name for name, equals, _ in (part.partition("=") for part in parts) if equals])
    for part in parts:
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
        if name[:1] in ("", "."):
            raise RecipeError("link", f"must be made of name=value, not {shown(part)}")
        if name in texts:
            raise RecipeError("link", f"must not hold {shown(name)} twice")
        texts[name] = text
    return texts
