"""The recipe in the address of the page, and how much of it a visitor may be made to run by a link."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode

from imagen_core import link
from imagen_core.address import ours
from imagen_core.check import Shared, shared
from imagen_core.recipe import Recipe
from imagen_core.sweep import Sweep, is_sweep

# Steps of work that a link begins by itself: some ten seconds on two cores. Longer ones wait for a click, and
# so do those whose model would have to be fetched.
REPLAY_COST = 250


def recipe_in_address(query: Iterable[tuple[str, str]]) -> tuple[Recipe, Shared | None] | None:
    """The recipe in the decoded names and texts of an address, and what its picture was; None without, or of a sweep.

    Raises `RecipeError`.
    """
    own = ours(query)
    if not own or is_sweep([name for name, _ in own]):
        return None
    text = urlencode(own, errors="surrogatepass")
    recipe = Recipe.from_link(text)
    return recipe, shared(recipe, link.check_in(text))


def sweep_in_address(query: Iterable[tuple[str, str]]) -> Sweep | None:
    """The sweep in the decoded names and texts of an address, or None. Raises `RecipeError`."""
    own = ours(query)
    if not is_sweep([name for name, _ in own]):
        return None
    return Sweep.from_link(urlencode(own, errors="surrogatepass"))
