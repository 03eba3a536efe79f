"""The recipe in the address of the page, and how much of it a visitor may be made to run by a link."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from urllib.parse import urlencode

from imagen_core import link
from imagen_core.check import Shared, shared
from imagen_core.recipe import RULES, STAGES, Recipe
from imagen_core.sweep import Sweep, is_sweep

# Steps of work that a link begins by itself: some ten seconds on two cores. Longer ones wait for a click.
REPLAY_COST = 250
# What others add to an address: gradio and Spaces (`__theme`, `view`, `logs`), sites that count visits, their apps.
_FOREIGN = frozenset(
    {"view", "logs", "deep_link", "ref", "source", "share", "si", "igsh", "igshid", "mc_cid", "mc_eid"}
)
_FOREIGN_STARTS = ("__", "utm_", "_hs", "mc_", "igsh")
_FOREIGN_ENDS = ("clid", "clkid", "braid", "srsltid")  # of advertisements: fbclid, msclkid, gbraid
_WHOLE = ("version", "1")  # in every link that was written here
_NAMES = [*(name for name in RULES if "." not in name), *STAGES, link.CHECK, "fork", "parent", "sweep"]
_NEAR = 0.7  # of the letters of two names; "sead" and "seed" have 0.75


def recipe_in_address(query: Iterable[tuple[str, str]]) -> tuple[Recipe, Shared | None] | None:
    """The recipe in the decoded names and texts of an address, and what its picture was; None without, or of a sweep.

    Raises `RecipeError`.
    """
    ours = _ours(query)
    if not ours or is_sweep([name for name, _ in ours]):
        return None
    text = urlencode(ours, errors="surrogatepass")
    recipe = Recipe.from_link(text)
    return recipe, shared(recipe, link.check_in(text))


def sweep_in_address(query: Iterable[tuple[str, str]]) -> Sweep | None:
    """The sweep in the decoded names and texts of an address, or None. Raises `RecipeError`."""
    ours = _ours(query)
    if not is_sweep([name for name, _ in ours]):
        return None
    return Sweep.from_link(urlencode(ours, errors="surrogatepass"))


def _ours(query: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """What is for us. To a link that was written here sites add names that no list has; those like ours are told."""
    named = [(name, text) for name, text in query if not _is_foreign(name)]
    return [(name, text) for name, text in named if _WHOLE not in named or _is_like_ours(name)]


def _is_foreign(name: str) -> bool:
    return name in _FOREIGN or name.startswith(_FOREIGN_STARTS) or name.endswith(_FOREIGN_ENDS)


def _is_like_ours(name: str) -> bool:
    return "." in name or bool(get_close_matches(name.lower(), _NAMES, 1, _NEAR))
