"""The check of a shared picture: short values that tell whether a recipe drew the same again.

A check is not part of a recipe and determines nothing. It travels beside one, in a link and in a PNG, and says of which
weights and which pixels the picture was: a digest to tell equal pixels, and per stage sixteen mean colours to tell the
same picture with small numeric differences (another processor or number format) from another picture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

from imagen_core.link import CHECK
from imagen_core.recipe import Recipe
from imagen_core.stage_recipe import SIZES, STAGES

if TYPE_CHECKING:
    from PIL.Image import Image

VERSION = "1"
UNKNOWN_WEIGHTS = "-"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_DIGEST = 8  # letters of 6 bits
_CELLS = 4  # a side of the grid of mean colours
_COLOURS = 3 * _CELLS**2
_TEXT = re.compile(
    rf"{VERSION}\.([\w-]{{{_DIGEST}}}|-)((?:\.[\w-]{{{_DIGEST + _COLOURS}}}){{1,{len(STAGES)}}})", re.ASCII
)
# How far the 6-bit colours of one picture may be apart, on the mean and in the worst cell. Measured with the bundled
# model, eight prompts and three seeds: bfloat16 instead of float32 moves them by at most 0.21 and 1, another seed of
# the same prompt by at least 1.2 and 5.
_NEAR_MEAN, _NEAR_WORST = 0.6, 3


@dataclass(frozen=True)
class StageCheck:
    """One stage's picture: a digest of its 8-bit pixels, and 4 x 4 mean colours (RGB, row by row), each 0 to 63."""

    digest: str
    colours: tuple[int, ...]

    @classmethod
    def of(cls, image: Image) -> StageCheck:
        """The check of a square RGB picture whose side is a multiple of 4 pixels."""
        means = image.reduce(image.width // _CELLS).tobytes()  # of 8 bits
        return cls(digest(image.tobytes()), tuple((value * 63 + 127) // 255 for value in means))

    def resembles(self, other: StageCheck) -> bool:
        """Whether both can be one picture, drawn with other rounding."""
        apart = [abs(mine - theirs) for mine, theirs in zip(self.colours, other.colours, strict=True)]
        return sum(apart) <= _NEAR_MEAN * len(apart) and max(apart) <= _NEAR_WORST


@dataclass(frozen=True)
class Check:
    """The check of one picture: a fingerprint of the weights ("-": nobody knows it), and its stages in their order."""

    weights: str
    stages: tuple[StageCheck, ...]

    def to_text(self) -> str:
        """As it stands in a link, of letters that need no escape there: 1.WEIGHTS.STAGE.STAGE.STAGE."""
        stages = [stage.digest + "".join(_LETTERS[colour] for colour in stage.colours) for stage in self.stages]
        return ".".join([VERSION, self.weights, *stages])

    @classmethod
    def from_text(cls, text: str) -> Check | None:
        """The check in a text; None where it is damaged, or of another release: a check never stands in the way."""
        match = _TEXT.fullmatch(text)
        if match is None:
            return None
        stages = [
            StageCheck(part[:_DIGEST], tuple(_LETTERS.index(letter) for letter in part[_DIGEST:]))
            for part in match[2][1:].split(".")
        ]
        return cls(match[1], tuple(stages))

    def verdict(self, drawn: Check) -> str:
        """How the picture `drawn` compares with this one, in a few words: one for all stages, or one for each.

        "identical", "same noise, small numeric differences", "another model" or "another picture".
        """
        words = [_word(*pair, self.weights, drawn.weights) for pair in zip(self.stages, drawn.stages, strict=False)]
        if len(set(words)) == 1:
            return words[0]
        return "; ".join(f"{SIZES[name]} pixels: {word}" for name, word in zip(STAGES, words, strict=False))


@dataclass(frozen=True)
class Shared:
    """A recipe that somebody shared together with the check of the picture that it drew."""

    recipe: Recipe
    check: Check

    def verdict(self, recipe: Recipe, drawn: Check) -> str:
        """What `Check.verdict` says of the picture that `recipe` drew; "" where that is another recipe."""
        return self.check.verdict(drawn) if recipe == self.recipe else ""


@dataclass
class Checks:
    """The checks of a run's pictures, collected while its stages end."""

    weights: str
    _stages: list[list[StageCheck]] = field(default_factory=list)

    def add(self, images: Sequence[Image]) -> None:
        """Take the pictures that a stage ended with; stages in their order."""
        self._stages.append([StageCheck.of(image) for image in images])

    def of(self, image: int) -> Check:
        """The check of one of the pictures."""
        return Check(self.weights, tuple(stage[image] for stage in self._stages))


def digest(data: bytes) -> str:
    """48 bits of `data` as 8 letters of a link."""
    number = int.from_bytes(blake2b(data, digest_size=_DIGEST * 6 // 8, person=b"imagen check 1").digest(), "big")
    return "".join(_LETTERS[number >> shift & 63] for shift in range(6 * _DIGEST - 6, -1, -6))


def link_with_check(recipe: Recipe, check: Check) -> str:
    """The query string of a link that draws a picture, with its check at the end."""
    return f"{recipe.to_link()}&{CHECK}={check.to_text()}"


def shared(recipe: Recipe, text: str | None) -> Shared | None:
    """A recipe with the text of a check, where that can be read."""
    check = None if text is None else Check.from_text(text)
    return None if check is None else Shared(recipe, check)


def _word(before: StageCheck, after: StageCheck, weights_before: str, weights_after: str) -> str:
    if before.digest == after.digest:
        return "identical"
    if UNKNOWN_WEIGHTS not in (weights_before, weights_after) and weights_before != weights_after:
        return "another model"
    return "same noise, small numeric differences" if before.resembles(after) else "another picture"
