"""Scenes: every clause of a caption is true of its scene, what is held out never comes, and pixels are where it says.

Captions are read back by a parser of this file's own, with words written down here and the table read as plain CSV.
"""

from __future__ import annotations

import csv
import itertools
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from imagen_core.training import sprites as sprites_module
from imagen_core.training.scenes import STYLES, Placed, Scene, caption, compose, held_out, render
from imagen_core.training.sprites import Concept, sprite, sprite_path

COLOURS = {"red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray"}
NUMBERS = {"a": 1, "an": 1, "two": 2, "three": 3, "four": 4}
RELATIONS = {" to the left of ": "left", " to the right of ": "right", " above ": "above", " below ": "below"}
PLACES = {
    " in the sky": "sky",
    " at sunset": "sunset",
    " under a starry night sky": "night",
    " on a meadow": "meadow",
    " on a beach": "beach",
    " in the snow": "snow",
    " in the desert": "desert",
    " on a wooden table": "table",
    " on the water": "water",
}
PLAIN = {"white", "gray", "black", "blue", "green", "yellow", "pink", "orange", "purple"}


@dataclass(frozen=True)
class Said:
    """One thing of a caption."""

    article: str
    colour: str
    noun: str


@dataclass(frozen=True)
class Reading:
    things: tuple[Said, ...]
    relation: str
    background: str
    style: str


@cache
def table() -> dict[str, dict[str, str]]:
    """The rows of concepts.csv by icon."""
    with Path(sprites_module.__file__).with_name("concepts.csv").open(encoding="utf-8", newline="") as file:
        return {row["icon"]: row for row in csv.DictReader(file)}


@cache
def icon_of_noun() -> dict[str, str]:
    """Which icon a noun, plural or synonym means."""
    nouns = {}
    for icon, row in table().items():
        for noun in {row["noun"], row["plural"], *filter(None, row["synonyms"].split(";"))}:
            assert nouns.setdefault(noun, icon) == icon, f"{noun} means two things"
    return nouns


def parse(text: str) -> Reading:
    """Take a caption apart; an assertion fails on anything that is not of its language."""
    style = background = relation = ""
    if match := re.match(r"(?:a|an) (\w+) (?:drawing|picture|illustration) of ", text):
        style, text = match[1], text[match.end() :]
    if match := re.search(r", (\w+) (?:style|illustration)$", text):
        assert not style, "the style is said twice"
        style, text = match[1], text[: match.start()]
    if match := re.search(r" on (a|an) (\w+) background$", text):
        assert match[2] in PLAIN
        assert (match[1] == "an") == (match[2][0] in "aeiou")
        background, text = match[2], text[: match.start()]
    for words, name in PLACES.items():
        if text.endswith(words):
            assert not background, "the background is said twice"
            background, text = name, text.removesuffix(words)
    parts = [text]
    for words, name in RELATIONS.items():
        if words in text:
            assert not relation, "two relations"
            relation, parts = name, text.split(words)
    things = []
    for part in parts:
        article, *rest = part.split(" ")
        colour = rest.pop(0) if rest[0] in COLOURS else ""
        things.append(Said(article, colour, " ".join(rest)))
        assert article in NUMBERS, part
        assert " ".join(rest) in icon_of_noun(), part
        if NUMBERS[article] == 1:
            assert (article == "an") == ((colour or rest[0])[0] in "aeiou"), part
    return Reading(tuple(things), relation, background, style)


def drawn(count: int) -> Iterator[tuple[Scene, str]]:
    for seed in range(count):
        rng = random.Random(seed)
        scene = compose(rng)
        yield scene, caption(scene, rng)


def own_colour(icon: str) -> str:
    return table()[icon]["colour"]


# Captions


def test_every_clause_of_every_caption_is_true_of_its_scene() -> None:
    for scene, text in drawn(1000):
        reading = parse(text)
        assert reading.style in ("", scene.style), text
        assert reading.background == scene.background or (not reading.background and scene.background == "white"), text
        assert reading.relation == scene.relation, text
        if reading.relation:
            assert [said.article in ("a", "an") for said in reading.things] == [True, True], text
            shown = scene.things
        else:
            assert NUMBERS[reading.things[0].article] == len(scene.things), text
            assert len({(thing.concept, thing.colour) for thing in scene.things}) == 1, text
            shown = scene.things[:1]
        for said, thing in zip(reading.things, shown, strict=True):
            row = table()[thing.concept.icon]
            assert icon_of_noun()[said.noun] == thing.concept.icon, text
            plural = not reading.relation and len(scene.things) > 1
            assert said.noun == row["plural"] if plural else said.noun in (row["noun"], *row["synonyms"].split(";"))
            if thing.colour:  # a colour that the thing does not have of itself is always said
                assert said.colour == thing.colour != own_colour(thing.concept.icon), text
            else:
                assert said.colour in ("", own_colour(thing.concept.icon)), text


def test_relations_hold_by_geometry_and_things_stay_in_the_picture() -> None:
    for scene, text in drawn(1000):
        for thing in scene.things:
            assert thing.size / 2 <= min(thing.x, thing.y, 1 - thing.x, 1 - thing.y), text
            assert abs(thing.angle) <= 6, text  # a turn takes no more than the corners out of the picture
        for a, b in itertools.combinations(scene.things, 2):
            distance = max(abs(a.x - b.x), abs(a.y - b.y))
            assert distance > 0.85 * (a.size + b.size) / 2, text  # hardly any overlap, so things can be counted
        if scene.relation:
            a, b = scene.things
            along, across = (b.x - a.x, b.y - a.y) if scene.relation in ("left", "right") else (b.y - a.y, b.x - a.x)
            assert abs(across) < along * {"left": 1, "right": -1, "above": 1, "below": -1}[scene.relation] / 2, text


def test_all_that_captions_can_say_is_said() -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for scene, text in drawn(3000):
        reading = parse(text)
        seen.update(
            {
                ("style", reading.style),
                ("background", reading.background),
                ("shown", scene.background),
                ("relation", reading.relation),
                *(("article", said.article) for said in reading.things),
                *(("colour", said.colour) for said in reading.things),
                *(("icon", thing.concept.icon) for thing in scene.things),
            }
        )

    def words(kind: str) -> set[str]:
        return {word for key, word in seen if key == kind}

    assert words("style") == {"", *STYLES}
    assert words("shown") == PLAIN | set(PLACES.values())
    assert words("background") == {"", *words("shown")}
    assert words("relation") == {"", *RELATIONS.values()}
    assert words("article") == set(NUMBERS)
    assert words("colour") == {"", *COLOURS}
    assert words("icon") == set(table())
    assert 0.3 < seen["style", ""] / 3000 < 0.6


def test_the_last_synonym_of_a_noun_is_never_trained_on_and_the_others_are() -> None:
    said = {thing.noun for _, text in drawn(6000) for thing in parse(text).things}
    rows = [row["synonyms"].split(";") for row in table().values() if row["synonyms"]]
    kept_back = {synonyms[-1] for synonyms in rows if len(synonyms) > 1}
    assert len(kept_back) >= 10
    assert not said & kept_back
    assert said >= {synonym for synonyms in rows for synonym in synonyms} - kept_back


# What is held out


def combinations(scene: Scene) -> set[tuple[str, ...]]:
    """The combinations of words that a scene trains."""
    icons = [thing.concept.icon for thing in scene.things]
    found: set[tuple[str, ...]] = set()
    if len(STYLES) > 1:  # with one style, holding a pair out would keep the thing itself from training
        found |= {("style", icon, scene.style) for icon in icons}
    found |= {("colour", thing.concept.icon, thing.colour) for thing in scene.things if thing.colour}
    if scene.relation:
        found.add(("relation", icons[0], scene.relation, icons[1]))
    elif len(icons) > 1:
        found.add(("count", icons[0], str(len(icons))))
    return found


def test_held_out_combinations_never_come_and_all_others_do() -> None:
    trained = {words for scene, _ in drawn(20_000) for words in combinations(scene)}
    assert not [words for words in trained if held_out(*words)]
    styles = {("style", icon, style) for icon in table() for style in STYLES if len(STYLES) > 1}
    counts = {("count", icon, number) for icon in table() for number in "234"}
    colours = {("colour", icon, colour) for icon in table() for colour in COLOURS if colour != own_colour(icon)}
    missing = {words for words in styles | counts | colours if not held_out(*words)} - trained
    assert not missing & (styles | counts)
    assert len(missing) < 5  # 9 of each colour are to be expected, so one or two may not come by chance


def test_a_tenth_is_held_out_and_no_word_as_a_whole() -> None:
    kinds = {
        "style": [(icon, style) for icon in table() for style in ("cartoon", "flat")],
        "colour": [(icon, colour) for icon in table() for colour in COLOURS],
        "count": [(icon, number) for icon in table() for number in "234"],
        "relation": [(a, relation, b) for a in table() for b in table() for relation in RELATIONS.values() if a != b],
    }
    for kind, pairs in kinds.items():
        out = [pair for pair in pairs if held_out(kind, *pair)]
        assert 0.05 < len(out) / len(pairs) < 0.15, kind
        for word in {word for pair in pairs for word in pair}:
            assert any(word in pair for pair in set(pairs) - set(out)), (kind, word)


def test_what_is_held_out_never_changes() -> None:
    """Weights that were measured on held-out combinations stay comparable only while these are the same."""
    assert held_out("style", "turtle", "cartoon")
    assert not held_out("style", "turtle", "flat")
    assert held_out("colour", "red-apple", "black")
    assert not held_out("colour", "red-apple", "blue")
    assert [held_out("count", "star", number) for number in "234"] == [True, False, False]
    assert held_out("relation", "house", "below", "star")
    assert not held_out("relation", "star", "below", "house")


# Seeds


def test_a_seed_gives_one_scene_and_one_caption() -> None:
    assert list(drawn(50)) == list(drawn(50))
    assert len({text for _, text in drawn(50)}) > 45


# Pixels, with sprites drawn here


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
        for style in ("cartoon", "flat"):
            path = sprite_path(name, style)
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
        first, second = scene.things
        things = (replace(first, concept=red, colour=""), replace(second, concept=blue, colour=""))
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
        if scene.relation:
            continue
        things = tuple(replace(thing, concept=disc, colour="") for thing in scene.things)
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


def test_one_scene_at_three_sizes_is_one_picture(draw: Callable[..., Concept]) -> None:
    """What makes low-resolution and high-resolution pictures pairs.

    Pictures are in [-1, 1]; the tolerance is for edges, and wider at 64 pixels, where small things are drawn coarsely.
    """
    face = draw("face", "face", "#e8a020")
    for scene, _ in drawn(24):
        shown = replace(scene, things=tuple(replace(thing, concept=face) for thing in scene.things))
        large, middle, small = (render(shown, size) for size in (256, 128, 64))
        assert float((F.avg_pool2d(large, 2) - middle).abs().mean()) < 0.02
        assert float((F.avg_pool2d(large, 4) - F.avg_pool2d(middle, 2)).abs().mean()) < 0.012
        assert float((F.avg_pool2d(large, 4) - small).abs().mean()) < 0.03
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
