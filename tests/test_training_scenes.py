"""Scenes: pixels are where the scene says, at every size, with sprites drawn here."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from imagen_core.training.config import CONFIGS
from imagen_core.training.corpus import picture
from imagen_core.training.scenes import SKETCH, STYLES, Placed, Scene, render
from imagen_core.training.sketch import REACH
from imagen_core.training.sprites import ICON_SETS, Concept, sprite, sprite_path
from tests.caption_reading import drawn


@pytest.fixture
def draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Concept]]:
    """A function that draws a sprite, (name, shape, colour), into an empty cache folder and returns its concept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    sprite.cache_clear()

    def make(name: str, shape: str, colour: str) -> Concept:
        picture = Image.new("RGBA", (1024, 1024))
        pen = ImageDraw.Draw(picture)
        if shape == "disc":
            pen.ellipse((0, 0, 1023, 1023), fill=colour)
        elif shape == "arrow":  # a disc with a mark at the top
            pen.ellipse((0, 0, 1023, 1023), fill="gray")
            pen.rectangle((448, 0, 576, 512), fill=colour)
        elif shape == "face":  # fine enough to matter at 64 pixels
            pen.ellipse((0, 0, 1023, 1023), fill=colour, outline="black", width=48)
            for x in (320, 704):
                pen.ellipse((x - 90, 300, x + 90, 480), fill="white", outline="black", width=32)
            pen.arc((256, 400, 768, 800), 20, 160, fill="black", width=48)
        for icon_set in ICON_SETS:
            path = sprite_path(name, icon_set.style)
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path, compress_level=1)
        return Concept(name, name, name, "", ())

    yield make
    sprite.cache_clear()


def centroid(weights: Tensor) -> tuple[float, float]:
    """Centre of mass (x, y) of (h, w), in shares of the picture."""
    place = (torch.arange(len(weights)) + 0.5) / len(weights)
    total = weights.sum()
    return float((weights.sum(0) * place).sum() / total), float((weights.sum(1) * place).sum() / total)


@pytest.mark.parametrize("size", [64, 256])
def test_a_thing_is_drawn_where_and_as_large_as_the_scene_says(draw: Callable[..., Concept], size: int) -> None:
    disc = draw("disc", "disc", "black")
    for x, y, side in ((0.5, 0.5, 0.8), (0.31, 0.6, 0.4), (0.7, 0.25, 0.29)):
        picture = render(Scene((Placed(disc, "", x, y, side, 5.0),), "flat", "white"), size)
        assert picture.shape == (3, size, size)
        ink = (1 - picture[0]) / 2  # 1 where the black disc is
        assert centroid(ink) == pytest.approx((x, y), abs=0.3 / size)
        assert float(ink.mean()) == pytest.approx(torch.pi / 4 * side**2, rel=0.02)
        assert float(picture.amax()) == 1
        assert float(picture.amin()) == -1


def test_composed_relations_hold_in_the_pixels(draw: Callable[..., Concept]) -> None:
    red, blue = draw("red", "disc", "#ff0000"), draw("blue", "disc", "#0000ff")
    seen = Counter()
    for scene, _ in drawn(150):
        if not scene.relation:
            continue
        first = scene.things[0].concept
        things = tuple(
            replace(thing, concept=red if thing.concept == first else blue, colour="") for thing in scene.things
        )
        picture = render(replace(scene, things=things, background="black"), 32) / 2 + 0.5
        (ax, ay), (bx, by) = (centroid(picture[channel].clamp(min=0.5) - 0.5) for channel in (0, 2))
        held = {"left": bx - ax, "right": ax - bx, "above": by - ay, "below": ay - by}
        assert max(held, key=lambda name: held[name]) == scene.relation
        seen[scene.relation] += 1
    assert len(seen) == 4


def test_composed_counts_hold_in_the_pixels(draw: Callable[..., Concept]) -> None:
    disc = draw("disc", "disc", "black")
    seen = Counter()
    for scene, _ in drawn(150):
        # Smaller than they are: sprites may touch by their corners, discs fill their squares to the edges, and a
        # sketch has a pencil's width around them.
        outline = 2 * REACH if scene.style == SKETCH else 0
        sizes = [0.85 * thing.size - outline for thing in scene.things]
        discs = [replace(thing, concept=disc, colour="", size=s) for thing, s in zip(scene.things, sizes, strict=True)]
        things = tuple(discs)
        picture = render(replace(scene, things=things, background="white"), 64)
        assert islands(picture[0] < 0) == len(things)
        seen[len(things)] += 1
    assert set(seen) == {1, 2, 3, 4}


def islands(mask: Tensor) -> int:
    """The number of connected areas of a mask (h, w)."""
    left, count = {(y, x) for y, x in mask.nonzero().tolist()}, 0
    while left:
        count, front = count + 1, [left.pop()]
        while front:
            y, x = front.pop()
            beside = {(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)} & left
            left -= beside
            front.extend(beside)
    return count


def test_the_thing_in_front_is_the_last(draw: Callable[..., Concept]) -> None:
    red, blue = draw("red", "disc", "#ff0000"), draw("blue", "disc", "#0000ff")
    back, front = Placed(red, "", 0.4, 0.5, 0.5, 0), Placed(blue, "", 0.6, 0.5, 0.5, 0)
    picture = render(Scene((back, front), "flat", "white"), 64)
    assert picture[:, 32, 32].tolist() == pytest.approx([-1, -1, 1], abs=0.02)
    picture = render(Scene((front, back), "flat", "white"), 64)
    assert picture[:, 32, 32].tolist() == pytest.approx([1, -1, -1], abs=0.02)


def test_things_turn_clockwise(draw: Callable[..., Concept]) -> None:
    arrow = draw("arrow", "arrow", "#ff0000")
    for angle, (x, y) in {0: (0.5, 0.3), 90: (0.7, 0.5), 180: (0.5, 0.7), -90: (0.3, 0.5)}.items():
        picture = render(Scene((Placed(arrow, "", 0.5, 0.5, 0.8, angle),), "flat", "gray"), 64) / 2 + 0.5
        assert centroid((picture[0] - picture[1] - 0.3).clamp(min=0)) == pytest.approx((x, y), abs=0.02)


@pytest.mark.parametrize("style", STYLES)
def test_one_scene_at_three_sizes_is_one_picture(draw: Callable[..., Concept], style: str) -> None:
    """What makes low-resolution and high-resolution pictures pairs, of every scene in every style.

    Pictures are in [-1, 1]; the tolerance is for edges, of which a sketch has twice as many, on both sides of every
    outline, and needs twice the pixels to show them as well. The base learns from a larger picture, halved.
    """
    face = draw("face", "face", "#e8a020")
    edges = 2 if style == SKETCH else 1
    for scene, _ in drawn(24):
        shown = replace(scene, style=style, things=tuple(replace(thing, concept=face) for thing in scene.things))
        large, finer, coarser = (render(shown, size) for size in (256, 256 * edges, 128 * edges))
        small = picture(shown, CONFIGS["base"], random.Random(0))
        assert float((F.avg_pool2d(finer, 2) - coarser).abs().mean()) < (0.019 if style == SKETCH else 0.0105)
        assert float((F.avg_pool2d(large, 4) - small).abs().mean()) < 0.009 * edges
        assert float((large - large.mean()).abs().mean()) > 0.05


def test_a_window_is_the_crop_of_the_whole(draw: Callable[..., Concept]) -> None:
    face = draw("face", "face", "#e8a020")
    for scene, _ in drawn(24):
        shown = replace(scene, things=tuple(replace(thing, concept=face) for thing in scene.things))
        whole = render(shown, 256)
        for left, top, side in ((0, 0, 64), (96, 160, 64), (64, 32, 128)):
            window = render(shown, side, (left / 256, top / 256, side / 256))
            crop = whole[:, top : top + side, left : left + side]
            torch.testing.assert_close(window, crop, atol=1e-3, rtol=0)


def test_pixel_art_shows_every_cell_in_one_colour_the_mean_of_what_is_there(draw: Callable[..., Concept]) -> None:
    things = (Placed(draw("face", "face", "#e8a020"), "", 0.45, 0.55, 0.7, 4.0),)
    shown = render(Scene(things, "pixel art", "meadow"), 256)
    cells = shown.unfold(1, 8, 8).unfold(2, 8, 8)  # (3, 32, 32, 8, 8)
    assert float((cells.amax((3, 4)) - cells.amin((3, 4))).max()) == 0
    smooth = render(Scene(things, "flat", "meadow"), 128)
    torch.testing.assert_close(cells[..., 0, 0], F.avg_pool2d(smooth, 4), atol=1e-5, rtol=0)
    assert float((render(Scene(things, "pixel art", "meadow"), 64) - shown[:, ::4, ::4]).abs().max()) == 0


def test_a_sketch_outlines_what_is_there_and_leaves_its_colours(draw: Callable[..., Concept]) -> None:
    things = (Placed(draw("disc", "disc", "#e82020"), "", 0.5, 0.5, 0.5, 0.0),)
    shown = render(Scene(things, "sketch", "white"), 512)
    line = shown[:, 256].mean(dim=0)  # from left to right through the middle
    dark = torch.nonzero(line < -0.5).flatten().tolist()
    edges = (128, 384)
    assert all(min(abs(place - edge) for edge in edges) <= 5 for place in dark)
    assert all(any(abs(place - edge) <= 5 for place in dark) for edge in edges)
    inside = shown[:, 200:312, 200:312].mean(dim=(1, 2))
    assert inside[0] > 0.7 > 0 > inside[1:].max()  # red, on paper
    assert float(shown[:, :100, :100].min()) > 0.9  # nothing is drawn on white


def test_strokes_of_a_sketch_stay_where_they_are_at_every_size(draw: Callable[..., Concept]) -> None:
    things = (Placed(draw("face", "face", "#e8a020"), "", 0.45, 0.55, 0.7, 4.0),)
    scene = Scene(things, "sketch", "meadow")
    large, small = render(scene, 1024), render(scene, 256)
    assert float((F.avg_pool2d(large, 4) - small).abs().mean()) < 0.03
    stripes = render(Scene((), "sketch", "blue"), 1024)[0]
    assert float(stripes.max() - stripes.min()) > 0.15


def test_styles_are_sets_of_icons_or_drawn_again_from_the_first() -> None:
    assert set(STYLES) == {icon_set.style for icon_set in ICON_SETS} | {"pixel art", "sketch"}
