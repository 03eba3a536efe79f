"""Backgrounds are functions of the place: the same picture at every size and in every window."""

from __future__ import annotations

import colorsys
import itertools

import pytest
import torch
import torch.nn.functional as F

from imagen_core.training.backgrounds import BACKGROUNDS, PLAIN, paint

HUES = {"blue": 210, "green": 110, "yellow": 48, "pink": 335, "orange": 32, "purple": 267}


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_a_background_is_the_same_at_every_size_and_in_every_window(name: str) -> None:
    large = paint(name, 256)
    assert large.shape == (3, 256, 256)
    assert large.dtype == torch.float32
    assert float(large.amin()) >= 0
    assert float(large.amax()) <= 1
    difference = (F.avg_pool2d(large, 4) - paint(name, 64)).abs()
    assert float(difference.mean()) < 0.003
    assert float(difference.amax()) < 0.25  # a star of the night is smaller than a pixel
    for left, top, side in ((0, 0, 64), (96, 160, 64), (64, 128, 128)):
        window = paint(name, side, (left / 256, top / 256, side / 256))
        torch.testing.assert_close(window, large[:, top : top + side, left : left + side], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_background_has_one_colour_and_the_hue_of_its_word(name: str) -> None:
    picture = paint(name, 16)
    assert torch.equal(picture, picture[:, :1, :1].expand(3, 16, 16))
    hue, saturation, value = colorsys.rgb_to_hsv(*picture[:, 0, 0].tolist())
    if name in HUES:
        assert hue * 360 == pytest.approx(HUES[name], abs=12)
        assert saturation > 0.2
    else:
        assert saturation < 0.15
        assert {"black": value < 0.2, "gray": 0.5 < value < 0.85, "white": value == 1}[name]


def test_every_two_backgrounds_are_told_apart() -> None:
    for a, b in itertools.combinations(BACKGROUNDS, 2):
        assert float((paint(a, 64) - paint(b, 64)).abs().mean()) > 0.025, (a, b)


def test_painting_gives_a_tensor_of_its_own() -> None:
    paint("white", 8).zero_()
    paint("sky", 8).zero_()
    assert float(paint("white", 8).mean()) == 1
    assert float(paint("sky", 8).mean()) > 0.5
