"""Recolouring gives the colour that its word says, by hue, saturation and lightness as `colorsys` measures them."""

from __future__ import annotations

import colorsys
import itertools
import math

import pytest
import torch
from torch import Tensor

from imagen_core.training.colours import COLOURS, recolour

# Hue in degrees that people call by the word, from and to; orange and brown share theirs and differ in lightness.
HUES = {
    "red": (345, 375),
    "orange": (20, 40),
    "yellow": (42, 65),
    "green": (90, 160),
    "blue": (205, 245),
    "purple": (260, 290),
    "pink": (315, 345),
    "brown": (15, 40),
}
GRAYS = ("black", "gray", "white")


def shaded_disc(low: float = 0.1, high: float = 0.9, tint: tuple[float, float, float] = (1, 1, 1)) -> Tensor:
    """A premultiplied (4, 64, 64) disc, dark on its left and light on its right, with a soft edge."""
    place = (torch.arange(64) + 0.5) / 64
    alpha = ((0.48 - ((place - 0.5)[None] ** 2 + (place - 0.5)[:, None] ** 2).sqrt()) * 20 + 0.5).clamp(0, 1)
    light = (low + (high - low) * place).expand(64, 64)
    return torch.stack([*(light * channel * alpha for channel in tint), alpha])


def mean_colour(rgba: Tensor) -> Tensor:
    """Mean straight colour (3,) of what is opaque."""
    opaque = rgba[3] > 0.99
    return rgba[:3, opaque].mean(dim=1)


@pytest.mark.parametrize("tint", [(1, 1, 1), (1, 0.2, 0.1), (0.1, 0.3, 1)], ids=["gray", "red", "blue"])
@pytest.mark.parametrize("colour", HUES)
def test_a_recoloured_sprite_has_the_hue_of_the_word(colour: str, tint: tuple[float, float, float]) -> None:
    hue, saturation, _ = colorsys.rgb_to_hsv(*mean_colour(recolour(shaded_disc(tint=tint), colour)).tolist())
    low, high = HUES[colour]
    assert low <= hue * 360 <= high or low <= hue * 360 + 360 <= high
    assert saturation > 0.35


@pytest.mark.parametrize("colour", GRAYS)
def test_black_gray_and_white_have_no_hue(colour: str) -> None:
    assert colorsys.rgb_to_hsv(*mean_colour(recolour(shaded_disc(tint=(1, 0.2, 0.1)), colour)).tolist())[1] < 0.1


def test_lightness_tells_black_gray_white_and_brown_orange_apart() -> None:
    light = {colour: float(mean_colour(recolour(shaded_disc(), colour)).mean()) for colour in COLOURS}
    assert light["black"] < 0.25 < light["gray"] < 0.7 < light["white"]
    assert light["brown"] < light["orange"] - 0.1


def test_every_two_colours_are_told_apart() -> None:
    assert set(COLOURS) == {*HUES, *GRAYS}
    means = {colour: mean_colour(recolour(shaded_disc(), colour)) for colour in COLOURS}
    for a, b in itertools.combinations(COLOURS, 2):
        assert math.dist(means[a].tolist(), means[b].tolist()) > 0.2, (a, b)


@pytest.mark.parametrize("colour", COLOURS)
def test_light_stays_light_dark_stays_dark_and_the_outline_stays(colour: str) -> None:
    disc = shaded_disc()
    painted = recolour(disc, colour)
    assert painted.shape == disc.shape
    assert torch.equal(painted[3], disc[3])
    assert bool((painted[:3] <= painted[3:] + 1e-6).all())  # premultiplied: no channel above alpha
    assert bool((painted[:3, disc[3] == 0] == 0).all())
    middle_row = painted[:3, 32, 4:60].mean(dim=0)
    assert bool((middle_row.diff() > -1e-6).all())
    assert middle_row[-1] - middle_row[0] > 0.2


@pytest.mark.parametrize(("colour", "middle"), [("red", (224, 36, 40)), ("blue", (40, 104, 226))])
def test_a_sprite_of_one_flat_colour_takes_the_middle_tone(colour: str, middle: tuple[int, int, int]) -> None:
    for level in (0.05, 0.5, 0.95):
        flat = recolour(shaded_disc(level, level), colour)
        torch.testing.assert_close(mean_colour(flat) * 255, torch.tensor(middle).float(), atol=0.5, rtol=0)
