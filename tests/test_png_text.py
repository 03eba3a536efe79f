"""What is read of a PNG file: every kind of text, and a sentence for everything that is no picture of ours."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imagen_core.metadata import KEY, MetadataError, read_recipe, to_png
from imagen_core.recipe import Recipe

RECIPE = Recipe(prompt="ein grüner Apfel 🍏 שלום", seed=7)
PICTURE = Image.linear_gradient("L").convert("RGB").resize((64, 64))
PNG = to_png(PICTURE, RECIPE)
XMP_KEY = "XML:com.adobe.xmp"


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*chunks: bytes, width: int = 1, height: int = 1) -> bytes:
    """A PNG file with chunks of one's own between the header and the end."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 4))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + chunk(b"IEND", b"")


def sentence(source: Path | bytes) -> str:
    with pytest.raises(MetadataError) as caught:
        read_recipe(source)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        chunk(b"tEXt", KEY.encode() + b"\0" + Recipe(prompt="x").to_json().encode("latin-1")),
        chunk(b"zTXt", KEY.encode() + b"\0\0" + zlib.compress(Recipe(prompt="x").to_json().encode("latin-1"))),
        chunk(b"iTXt", KEY.encode() + b"\0\0\0en\0key\0" + Recipe(prompt="x").to_json().encode()),
        chunk(b"iTXt", KEY.encode() + b"\0\1\0\0\0" + zlib.compress(Recipe(prompt="x").to_json().encode())),
    ],
    ids=["tEXt", "zTXt", "iTXt", "iTXt-packed"],
)
def test_a_recipe_is_read_from_every_kind_of_png_text(text: bytes) -> None:
    assert read_recipe(png(text)) == Recipe(prompt="x")


@given(st.binary() | st.binary().map(lambda data: PNG[:8] + data))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_a_metadata_error(data: bytes) -> None:
    assert sentence(data).endswith(".")


@given(st.integers(0, 8 * len(PNG) - 1))
@settings(max_examples=100, deadline=None)
def test_any_flipped_bit_is_found(position: int) -> None:
    data = bytearray(PNG)
    data[position // 8] ^= 1 << position % 8
    assert sentence(bytes(data)).endswith(".")


@given(st.integers(0, len(PNG) - 1))
@settings(max_examples=50, deadline=None)
def test_a_picture_cut_anywhere_is_told_so(length: int) -> None:
    kind = (
        "is cut off: it ends before a PNG file does" if length >= 8 else "is no PNG file, and only those carry a recipe"
    )
    assert sentence(PNG[:length]) == f"The picture {kind}."


def test_files_that_hold_no_recipe_are_told_in_a_sentence(tmp_path: Path) -> None:
    jpeg, plain, large = tmp_path / "a.jpg", tmp_path / "plain.png", tmp_path / "large.png"
    PICTURE.save(jpeg)
    PICTURE.save(plain)
    with large.open("wb") as file:
        file.truncate(20_000_001)
    assert sentence(jpeg) == "'a.jpg' is no PNG file, and only those carry a recipe."
    assert sentence(plain) == "'plain.png' carries no recipe: another program made it, or saved it anew."
    assert sentence(large) == "'large.png' is larger than 20,000,000 bytes."
    assert sentence(b"\0" * 20_000_001) == "The picture is larger than 20,000,000 bytes."
    assert sentence(tmp_path / "none.png") == f"Cannot read '{tmp_path}/none.png': No such file or directory."
    assert sentence(tmp_path) == f"Cannot read '{tmp_path}': it is a folder, not a file."
    assert sentence(Path("/dev/zero")) == "Cannot read '/dev/zero': it is a device, not a file."
    assert sentence(Path("a\0b")) == "Cannot read 'a\\x00b': that is no name of a file."
    assert sentence(Path("\udcff.png")) == "Cannot read '\\udcff.png': No such file or directory."


def test_what_is_wrong_inside_a_picture_is_told_in_a_sentence() -> None:
    key = KEY.encode() + b"\0"
    one = chunk(b"tEXt", key + b"{}")
    assert sentence(png(one, one)) == "The picture carries more than one recipe."
    assert sentence(png(one, width=4097)) == "The picture is 4097 × 1 pixels, more than 4096 a side."
    assert sentence(png(one, height=2**31)) == "The picture is 1 × 2147483648 pixels, more than 4096 a side."
    assert sentence(png(one)[:-20] + b"\0" * 20) == "The picture is damaged: a checksum in it is wrong."
    assert sentence(png(chunk(b"iTXt", key + b"\0\0\0\0\xff"))) == "The picture is damaged: its recipe is not UTF-8."
    assert sentence(png(chunk(b"zTXt", key + b"\0abc"))) == "The picture is damaged: its recipe cannot be unpacked."
    assert sentence(png(*[chunk(b"tEXt", b"a\0")] * 10_001)) == (
        "The picture is damaged: it is made of more than 10,000 chunks."
    )
    assert sentence(png(chunk(b"tEXt", key + b'{"seed": -1}'))) == (
        "The picture carries a recipe that is not valid: seed must be a whole number from 0 to 4294967295, not -1."
    )


def test_many_texts_are_not_unpacked() -> None:
    """Each below the limit of one, all together sixteen times it."""
    text = KEY.encode() + b"\0\1\0\0\0" + zlib.compress(("😀" + " " * 399_000).encode(), 9)
    data = png(*[chunk(b"iTXt", text)] * 400)
    tracemalloc.start()
    assert sentence(data) == "The picture carries more than one recipe."
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000


@pytest.mark.parametrize("kind", ["zTXt", "iTXt"])
def test_a_text_bomb_is_not_unpacked(kind: str) -> None:
    bomb = zlib.compress(b" " * 15_000_000, 9)
    head = b"\0\0" if kind == "zTXt" else b"\0\1\0\0\0"
    assert sentence(png(chunk(kind.encode(), KEY.encode() + head + bomb))) == (
        "The picture carries a recipe of more than 1,200,000 bytes."
    )
