"""A sweep as one PNG: its pictures in rows and columns, labelled, with the sweep itself inside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias
from unicodedata import normalize

from PIL import Image, ImageDraw, ImageFont

from imagen_core.metadata import Carried, MetadataError, png_with
from imagen_core.png_text import MAX_SIDE
from imagen_core.recipe import RecipeError
from imagen_core.sweep import Sweep
from imagen_core.sweep_axis import Axis

_Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

KEY = "imagen_sweep"  # keyword of the PNG text chunk that holds the sweep's link
MAX_CELL = 256  # pixels a side of a picture on the sheet
_GAP, _FONT, _LINE = 6, 15, 20  # pixels
_LABEL_WIDTH = 180  # of the labels of rows
_NO_CHARACTER = "\uffff"  # never one, so no font has it
_PAPER, _INK = "#ffffff", "#1b1f1e"


def cell_size(sweep: Sweep) -> int:
    """Pixels a side of a picture on the sheet: 256, or less where the sheet would be larger than `MAX_SIDE`."""
    room = MAX_SIDE - _LABEL_WIDTH - 4 * _LINE
    return min(MAX_CELL, room // max(sweep.columns, sweep.rows) - _GAP)


def draw(sweep: Sweep, pictures: Sequence[Image.Image]) -> Image.Image:
    """The sheet of all cells' pictures, given along the rows."""
    size, (left, top) = cell_size(sweep), _corner(sweep)
    width = left + sweep.columns * (size + _GAP)
    sheet = Image.new("RGB", (width, top + sweep.rows * (size + _GAP)), _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT)
    names = " by ".join(axis.name for axis in sweep.axes)
    title = f"{_legible(sweep.recipe.prompt, font)}   {names}".replace("\n", " ")
    pen.text((_GAP, 4), _fitting(title, width, font), _INK, font)
    for column, label in enumerate(_labels(sweep.axes[0], font)):
        pen.text((left + column * (size + _GAP), top - _LINE), _fitting(label, size, font), _INK, font)
    for row, label in enumerate(_labels(sweep.axes[1], font) if len(sweep.axes) > 1 else ()):
        place = (_GAP, top + row * (size + _GAP) + size // 2 - _FONT // 2)
        pen.text(place, _fitting(label, _LABEL_WIDTH, font), _INK, font)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, sweep.columns)
        sheet.paste(fitted(picture, size), (left + column * (size + _GAP), top + row * (size + _GAP)))
    return sheet


def fitted(picture: Image.Image, size: int) -> Image.Image:
    """A picture at `size` pixels a side; enlarged pixels stay square."""
    filter_ = Image.Resampling.NEAREST if picture.width < size else Image.Resampling.LANCZOS
    return picture.convert("RGB").resize((size, size), filter_)


def to_png(sweep: Sweep, pictures: Sequence[Image.Image]) -> bytes:
    """The sheet as a PNG file that carries the sweep."""
    return png_with(draw(sweep, pictures), {KEY: sweep.to_link()}, sweep.recipe.model)


def is_sheet(source: Path | bytes | Carried) -> bool:
    """Whether a file is a sweep's sheet; a file that cannot be read is none."""
    try:
        _link(source)
    except MetadataError:
        return False
    return True


def read_sweep(source: Path | bytes | Carried) -> Sweep:
    """The sweep that a sheet carries. Raises `MetadataError`, as `metadata.read_recipe` does."""
    text = _link(source)
    try:
        return Sweep.from_link(text)
    except RecipeError as error:
        raise MetadataError(f"The sheet carries a sweep that is not valid: {error}") from None


def _link(source: Path | bytes | Carried) -> str:
    """The link of the sweep in a file. Raises `MetadataError`."""
    carried = source if isinstance(source, Carried) else Carried(source)
    return carried.text(KEY, "sweep")


def _corner(sweep: Sweep) -> tuple[int, int]:
    """Where the first picture's upper left corner is."""
    return (_LABEL_WIDTH + _GAP if len(sweep.axes) > 1 else _GAP), 2 * _LINE + 8


def _labels(axis: Axis, font: _Font) -> list[str]:
    """The labels of an axis; one that holds what the font has no letters for is numbered, as such may be all alike."""
    legible = [_legible(label, font) for label in axis.labels]
    return [
        one if one == label else f"{number}. {one}".strip()
        for number, (one, label) in enumerate(zip(legible, axis.labels, strict=True), start=1)
    ]


def _legible(text: str, font: _Font) -> str:
    """`text` without what the font has no letters for, as it draws the same box for all such; u for ü."""
    box = bytes(font.getmask(_NO_CHARACTER))

    def known(text: str) -> str:
        return "".join(character for character in text if bytes(font.getmask(character)) != box)

    return "".join(known(character) or known(normalize("NFKD", character)) for character in text).strip()


def _fitting(text: str, width: int, font: _Font) -> str:
    """As much of `text` as is at most `width` pixels wide."""
    text = text[:200]
    while text and font.getlength(text) > width - _GAP:
        text = f"{text[:-2].rstrip()}…" if len(text) > 2 else ""
    return text
