"""Several prompts in one text: a line each, and alternatives in braces, as in "a {red|blue} apple"."""

from __future__ import annotations

import itertools
import re

from imagen_core.stage_recipe import PROMPT
from imagen_core.validation import RecipeError

MAX_VARIATIONS = 64
MAX_LENGTH = 64_000  # characters of the whole text
# Up to the first "|" there is none, so that a text of many of them is read once and not over and over.
_ALTERNATIVES = re.compile(r"\{([^{}|]*\|[^{}]*)\}")
_COUNTED = 10**9  # what is more is not counted to its end: it may have thousands of digits
_NESTED = re.compile(r"\{[^{}]*\{[^{}|]*\|[^{}]*\}")


def variations(text: str, field: str = "prompts") -> tuple[str, ...]:
    """The prompts that `text` stands for, in reading order; empty lines do not count.

    "{red|blue}" is one or the other, several of them are every combination, the last one changing quickest. Braces
    without "|" are letters like others. Raises `RecipeError`, of `field`, for more than 64 prompts, for alternatives
    within alternatives, and where a prompt breaks the rule of prompts.
    """
    if len(text) > MAX_LENGTH:
        raise RecipeError(field, f"must be at most {MAX_LENGTH:,} characters, not {len(text):,}")
    if _NESTED.search(text):
        raise RecipeError(field, "must not hold alternatives {a|b} within alternatives: write them as lines instead")
    lines = [_ALTERNATIVES.split(line) for line in text.splitlines() if line.strip()]
    choices = [[part.split("|") if odd % 2 else [part] for odd, part in enumerate(parts)] for parts in lines]
    count = sum(map(_count, choices))  # before any of them is made
    if count > MAX_VARIATIONS:
        told = f"{count:,}" if count <= _COUNTED else f"more than {_COUNTED:,}"
        raise RecipeError(field, f"must be at most {MAX_VARIATIONS} prompts, not {told}")
    prompts = ("".join(words).strip() for line in choices for words in itertools.product(*line))
    return tuple(str(PROMPT.check(field, prompt)) for prompt in prompts)


def _count(line: list[list[str]]) -> int:
    """How many prompts a line stands for; where there are more than `_COUNTED`, some number above that."""
    count = 1
    for words in line:
        count *= len(words)
        if count > _COUNTED:
            break
    return count
