"""Metadata: a picture carries its recipe, is written whole or not at all, and foreign files are told in a sentence."""

from __future__ import annotations

import os
import resource
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imagen_core.metadata import KEY, MetadataError, check_destination, read_recipe, save_png, to_png
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


# There and back


def test_a_saved_picture_gives_back_its_pixels_and_its_recipe(tmp_path: Path) -> None:
    save_png(PICTURE, RECIPE, tmp_path / "out.png")
    assert read_recipe(tmp_path / "out.png") == RECIPE
    assert read_recipe((tmp_path / "out.png").read_bytes()) == RECIPE
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.tobytes() == PICTURE.tobytes()
    assert os.listdir(tmp_path) == ["out.png"]


def test_other_programs_find_text_and_provenance(tmp_path: Path) -> None:
    save_png(PICTURE, RECIPE, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as picture:
        text = dict(picture.info)
    assert Recipe.from_json(text[KEY]) == RECIPE
    assert text["Software"] == "imagen_core"
    packet = ElementTree.fromstring(text[XMP_KEY].split("?>", 1)[1].rsplit("<?", 1)[0])
    description = packet.find(".//{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    assert description is not None
    assert description.attrib["{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"] == (
        "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    )


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


# Foreign and broken files


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


@pytest.mark.parametrize("kind", ["zTXt", "iTXt"])
def test_a_text_bomb_is_not_unpacked(kind: str) -> None:
    bomb = zlib.compress(b" " * 15_000_000, 9)
    head = b"\0\0" if kind == "zTXt" else b"\0\1\0\0\0"
    assert sentence(png(chunk(kind.encode(), KEY.encode() + head + bomb))) == (
        "The picture carries a recipe of more than 400,000 bytes."
    )


# Writing


def test_a_picture_is_replaced_in_one_step_and_through_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.png").symlink_to("folder/real.png")
    for seed in (1, 2):
        save_png(PICTURE, Recipe(seed=seed), tmp_path / "link.png")
        assert read_recipe(tmp_path / "folder" / "real.png").seed == seed
    assert (tmp_path / "link.png").is_symlink()
    assert os.listdir(tmp_path / "folder") == ["real.png"]


def test_a_new_picture_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    save_png(PICTURE, RECIPE, tmp_path / "out.png")
    assert (tmp_path / "out.png").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("write", [check_destination, lambda path: save_png(PICTURE, RECIPE, path)])
def test_a_destination_that_cannot_be_written_is_told_in_a_sentence(write: object, tmp_path: Path) -> None:
    """Renaming a file over /dev/null would replace the device for everyone, where the user may do that."""
    assert callable(write)
    (tmp_path / "loop.png").symlink_to("loop.png")
    for path, told in {
        tmp_path / "none" / "out.png": f"there is no folder '{tmp_path}/none'.",
        tmp_path: "it is a folder, not a file.",
        Path("/dev/null"): "it is a device, not a file.",
        Path("a\0.png"): "that is no name of a file.",
        tmp_path / ("x" * 300 + ".png"): "File name too long.",
    }.items():
        with pytest.raises(MetadataError) as caught:
            write(path)
        assert str(caught.value).startswith("Cannot write ")
        assert str(caught.value).endswith(f": {told}")
    assert os.listdir(tmp_path) == ["loop.png"]
    assert Path("/dev/null").is_char_device()


@contextmanager
def limited_file_size() -> Iterator[None]:
    """No file can grow beyond 100 bytes, as on a disk with so much room.

    Only inside a test, no fixture: what pytest reports between the two may go to a file too.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_write_that_fails_midway_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "out.png").write_bytes(b"before")
    with pytest.raises(MetadataError) as caught, limited_file_size():
        save_png(PICTURE, RECIPE, tmp_path / "out.png")
    assert str(caught.value) == f"Cannot write '{tmp_path}/out.png': File too large."
    assert (tmp_path / "out.png").read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["out.png"]


@pytest.mark.skipif(
    os.geteuid() != 0, reason="mounting a tiny disk needs root; the test above fails a write for anyone"
)
def test_a_full_disk_is_told_in_a_sentence_and_leaves_what_was_there(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("this machine lets nobody mount a disk; the test above fails a write for anyone")
    try:
        (disk / "out.png").write_bytes(b"before")
        noise = Image.effect_noise((256, 256), 99).convert("RGB")
        with pytest.raises(MetadataError) as caught:
            save_png(noise, RECIPE, disk / "out.png")
        assert str(caught.value) == f"Cannot write '{disk}/out.png': No space left on device."
        assert (disk / "out.png").read_bytes() == b"before"
        assert os.listdir(disk) == ["out.png"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_recipes_and_their_pictures_need_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, imagen_core.metadata, imagen_core.presets, imagen_core.command_line; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'PIL', 'tqdm')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
