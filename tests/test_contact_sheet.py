"""A sweep's sheet: every picture in its place, the sweep inside."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageFont

from imagen_core.contact_sheet import KEY, _labels, cell_size, draw, is_sheet, read_sweep, to_png
from imagen_core.metadata import MetadataError, png_with, read_recipe
from imagen_core.metadata import to_png as to_plain_png
from imagen_core.png_text import MAX_SIDE
from imagen_core.recipe import Recipe
from imagen_core.sweep import Sweep
from imagen_core.sweep_axis import Axis

RECIPE = Recipe(prompt="an apple, 犬 🍎\nsecond line", seed=7)
SWEEP = Sweep(RECIPE, (Axis.of("base.guidance_scale", "1,2,4"), Axis.of("prompt", "a {red|blue} apple")))
COLOURS = [(40 * i, 255 - 40 * i, 10 * i) for i in range(6)]


def test_pictures_are_where_their_cells_are() -> None:
    sheet = draw(SWEEP, [Image.new("RGB", (64, 64), colour) for colour in COLOURS])
    size, step = cell_size(SWEEP), cell_size(SWEEP) + 6
    left, top = sheet.width - 3 * step, sheet.height - 2 * step
    for index, colour in enumerate(COLOURS):
        row, column = divmod(index, 3)
        middle = (left + column * step + size // 2, top + row * step + size // 2)
        assert sheet.getpixel(middle) == colour
    labels = sheet.crop((0, 0, sheet.width, top)).convert("L")
    assert labels.getextrema()[0] < 100  # something is written


def test_labels_in_a_script_that_the_font_lacks_are_told_apart() -> None:
    font = ImageFont.load_default(15)
    axis = Axis.of("prompt", "一只猫\n🍎 apple\nTür\nan apple")
    assert _labels(axis, font) == ["1.", "2. apple", "3. Tur", "an apple"]
    sweep = Sweep(Recipe(last_stage="base"), (Axis.of("prompt", "一只猫\nقطة\nдом"),))
    sheet = draw(sweep, [Image.new("RGB", (64, 64))] * 3)
    step = cell_size(sweep) + 6
    labels = [sheet.crop((6 + column * step, 25, 60 + column * step, 46)).tobytes() for column in range(3)]
    assert len(set(labels)) == 3


def test_sheet_carries_the_sweep_and_no_recipe(tmp_path: Path) -> None:
    data = to_png(SWEEP, [Image.new("RGB", (8, 8))] * 6)
    (tmp_path / "sheet.png").write_bytes(data)
    assert read_sweep(data) == read_sweep(tmp_path / "sheet.png") == SWEEP
    assert is_sheet(data)
    assert not is_sheet(to_plain_png(Image.new("RGB", (8, 8)), RECIPE))
    assert not is_sheet(b"no picture")
    with pytest.raises(MetadataError, match="carries no recipe"):
        read_recipe(data)


@pytest.mark.parametrize("text", ["", "prompt=a", "sweep.x=seed:1&colour=red"])
def test_sheet_with_a_broken_sweep_is_refused(text: str) -> None:
    data = png_with(Image.new("RGB", (8, 8)), {KEY: text}, "bundled")
    with pytest.raises(MetadataError):
        read_sweep(data)


@pytest.mark.parametrize("axes", [("1..16", None), ("1..16", "1,2,3,4"), ("1,2,3,4", "1..16"), ("3", None)])
def test_every_sheet_can_be_read_again(axes: tuple[str, str | None]) -> None:
    recipe = RECIPE.updated({"last_stage": "base"})
    x, y = axes
    sweep = Sweep(recipe, (Axis.of("seed", x), *([Axis.of("base.num_steps", y)] if y else [])))
    data = to_png(sweep, [Image.new("RGB", (64, 64))] * (sweep.rows * sweep.columns))
    assert max(Image.open(BytesIO(data)).size) <= MAX_SIDE
    assert read_sweep(data) == sweep
