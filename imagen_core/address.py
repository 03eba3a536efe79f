"""What in the query of an address is of a recipe: sites that count visits, and their apps, add names of their own."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from imagen_core.link import CHECK, check_names
from imagen_core.recipe import RULES, STAGES

# What others add to an address: gradio and Spaces (`__theme`, `view`, `logs`), sites that count visits, their apps.
_FOREIGN = frozenset({"view", "logs", "deep_link", "ref", "source", "share", "si"})
_FOREIGN_STARTS = ("__", "utm_", "_hs", "mc_", "igsh")
_FOREIGN_ENDS = ("clid", "clkid", "braid", "srsltid")  # of advertisements: fbclid, msclkid, gbraid
_WHOLE = ("version", "1")  # in every link that was written here
_NAMES = [*(name for name in RULES if "." not in name), *STAGES, CHECK, "fork", "parent", "sweep"]
_NEAR = 0.7  # of the letters of two names; "sead" and "seed" have 0.75


def ours(query: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The decoded names and texts that are for us.

    A link that was written here may hold any other name, unless it is like one of ours: that is a slip, to be told.

    Raises `RecipeError` for more names than a link can have.
    """
    query = list(query)
    check_names([name for name, _ in query])
    named = [(name, text) for name, text in query if not _is_foreign(name)]
    return [(name, text) for name, text in named if _WHOLE not in named or _is_like_ours(name)]


def _is_foreign(name: str) -> bool:
    return name in _FOREIGN or name.startswith(_FOREIGN_STARTS) or name.endswith(_FOREIGN_ENDS)


def _is_like_ours(name: str) -> bool:
    return "." in name or bool(get_close_matches(name.lower(), _NAMES, 1, _NEAR))
