"""Shares, their intervals, and floors."""

from __future__ import annotations

import pytest

from imagen_core.training.prompts import Prompt, Said
from imagen_core.training.scores import Score, floor, score
from imagen_core.training.sprites import concepts
from imagen_core.training.truth import Found, Reading

CATS, DOG = (next(c for c in concepts() if c.noun == noun) for noun in ("cat", "dog"))


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, Statistics in Medicine 17, table I, method 3 (score)
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 1 - 0.1611, 1.0),
    ],
)
def test_wilsons_interval_is_the_published_one(right: int, n: int, low: float, high: float) -> None:
    assert Score(right, n).interval() == pytest.approx((low, high), abs=5e-5)
    assert Score(right, n).to_dict()["accuracy"] == right / n


def test_a_share_is_inside_its_interval() -> None:
    """To the last bit, for plots draw the distances."""
    for n in range(1, 60):
        for right in range(n + 1):
            low, high = Score(right, n).interval()
            assert 0 <= low <= right / n <= high <= 1


def picture(icon: str) -> Reading:
    return Reading((Found(icon, "", 0.5, 0.5, 0.7),), "flat", "white")


def test_a_floor_is_what_the_prompts_of_others_get() -> None:
    """Three pictures of cats for two cat prompts and a dog's: each is judged by the prompts with another text."""
    cat, dog = Prompt("a cat", (Said(CATS, "cat"),)), Prompt("a dog", (Said(DOG, "dog"),))
    kitty = Prompt("a kitty", (Said(CATS, "kitty"),))
    pictures = [picture(CATS.icon)] * 3
    assert score([cat, kitty, dog], pictures) == Score(2, 3)
    # cat by kitty and dog, kitty by cat and dog, dog by cat and kitty: right, wrong, right, wrong, right, right
    assert floor([cat, kitty, dog], pictures) == pytest.approx(4 / 6)
    assert floor([cat, cat], pictures[:2]) is None
