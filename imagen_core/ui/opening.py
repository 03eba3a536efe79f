"""The recipe in the address of the page, and how much of it a visitor may be made to run by a link."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode

from imagen_core.recipe import Recipe

# Steps of work that a link begins by itself: some ten seconds on two cores. Longer ones wait for a click.
REPLAY_COST = 250
# What others add to an address: gradio and Spaces (`__theme`, `view`, `logs`), and sites that count visits.
_FOREIGN = frozenset({"view", "logs", "deep_link", "fbclid", "gclid", "ref"})
_FOREIGN_STARTS = ("__", "utm_")


def recipe_in_address(query: Iterable[tuple[str, str]]) -> Recipe | None:
    """The recipe in the decoded names and texts of an address, or None. Raises `RecipeError`."""
    ours = [(name, text) for name, text in query if name not in _FOREIGN and not name.startswith(_FOREIGN_STARTS)]
    return Recipe.from_link(urlencode(ours, errors="surrogatepass")) if ours else None
