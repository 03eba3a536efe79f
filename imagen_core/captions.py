"""What becomes of a prompt before a text encoder reads it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

_NEEDED = {"bs4": "beautifulsoup4", "ftfy": "ftfy"}


def plain_caption(prompt: str) -> str:
    """Lower case, no spaces around it: of any prompt of the bundled model, and, as in diffusers, of IF's."""
    return prompt.lower().strip()


def cleaned_caption(prompt: str) -> str:
    """Addresses, markup, file names and odd signs taken out, as from the captions that IF was trained with.

    It is diffusers' own cleaning, done twice as there; `missing_for_cleaning` tells what it needs.
    """
    from diffusers import IFPipeline

    clean: Any = IFPipeline._clean_caption
    return str(clean(IFPipeline, clean(IFPipeline, prompt)))


def missing_for_cleaning() -> tuple[str, ...]:
    """The packages that `cleaned_caption` needs and that are not installed, by the names that pip knows."""
    return tuple(package for module, package in _NEEDED.items() if find_spec(module) is None)
