"""A history that a browser exported, read as what it is: a stranger's file."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from typing import Any

from imagen_core.check import Check, link_with_check
from imagen_core.link import check_in
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.ui.errors import sentence
from imagen_core.validation import shown

FORMAT = "imagen history"
MAX_LENGTH = 8_000_000  # characters of the file
MAX_ENTRIES = 1000
MAX_THUMBNAIL_LENGTH = 40_000  # characters; a JPEG of 96 pixels a side has some 4,000
_PATIENCE = 20.0  # seconds that a visitor waits for the history of another one
_turn = threading.BoundedSemaphore(1)
_THUMBNAIL = re.compile(r"data:image/jpeg;base64,[A-Za-z0-9+/]+={0,2}", re.ASCII)


class HistoryError(ValueError):
    """A file that is no history, or an entry that is none; the text is one sentence."""


def read_history(text: Any) -> dict[str, object]:
    """What the browser calls with the text of a file.

    The answer is {"entries": [{"link", "time", "thumbnail", "starred"}, ...], "refused": how many entries were left
    out, "reason": why the first of them was}, or {"problem": sentence}. Every link of it is one of a valid recipe.
    One history is read at a time, because the links of a malicious one take many seconds.
    """
    if not _turn.acquire(timeout=_PATIENCE):
        return {"problem": "Others are importing histories at the moment: try again in a minute."}
    try:
        found = _entries(text)
        good, reasons = [], []
        for entry in found:
            try:
                good.append(_entry(entry))
            except (HistoryError, RecipeError) as error:
                reasons.append(str(error))
        return {"entries": good, "refused": len(reasons), "reason": reasons[0] if reasons else ""}
    except HistoryError as error:
        return {"problem": str(error)}
    except Exception as error:
        return {"problem": sentence(error)}
    finally:
        _turn.release()


def _entries(text: object) -> list[object]:
    if not isinstance(text, str) or len(text) > MAX_LENGTH:
        raise HistoryError(f"A history is a text of at most {MAX_LENGTH:,} characters: choose another file.")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise HistoryError("This file is no JSON: choose one that was exported here.") from None
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise HistoryError("This file is no history: choose one that was exported here.")
    if type(content.get("version")) is not int or content["version"] != 1:
        raise HistoryError(
            f"This history has version {shown(content.get('version'))}, and only version 1 is known here."
        )
    entries = content.get("entries")
    if not isinstance(entries, list) or len(entries) > MAX_ENTRIES:
        raise HistoryError(f"A history is a list of at most {MAX_ENTRIES:,} entries: choose another file.")
    return entries


def _entry(entry: object) -> dict[str, object]:
    """An entry with nothing in it but what is known and good; the link is written anew from its recipe."""
    if not isinstance(entry, Mapping):
        raise HistoryError("an entry must be an object with link, time, thumbnail and starred.")
    link, time, thumbnail = entry.get("link"), entry.get("time"), entry.get("thumbnail", "")
    if not isinstance(link, str):
        raise HistoryError("link must be a text.")
    if isinstance(time, bool) or not isinstance(time, int | float) or not 0 <= time < 2**53:
        raise HistoryError("time must be milliseconds since 1970.")
    if not isinstance(thumbnail, str) or len(thumbnail) > MAX_THUMBNAIL_LENGTH:
        raise HistoryError("thumbnail must be a small JPEG as a data URI.")
    if thumbnail and not _THUMBNAIL.fullmatch(thumbnail):
        raise HistoryError("thumbnail must be a small JPEG as a data URI.")
    recipe = Recipe.from_link(link)
    check = Check.from_text(check_in(link) or "")
    return {
        "link": recipe.to_link() if check is None else link_with_check(recipe, check),
        "time": time,
        "thumbnail": thumbnail,
        "starred": entry.get("starred") is True,
    }
