"""Metadata: a picture carries its recipe, is written whole or not at all, and foreign files are told in a sentence."""

from __future__ import annotations

import io
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from imagen_core.metadata import KEY, MetadataError, check_destination, read_recipe, save_png, to_png
from imagen_core.presets import PRESETS
from imagen_core.recipe import Recipe

RECIPE = Recipe(prompt="ein grüner Apfel 🍏 שלום", seed=7)
PICTURE = Image.linear_gradient("L").convert("RGB").resize((64, 64))
PNG = to_png(PICTURE, RECIPE)
XMP_KEY = "XML:com.adobe.xmp"


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


def test_the_licence_of_fetched_weights_stands_in_the_picture_and_ours_does_not() -> None:
    picture = Image.new("RGB", (8, 8))
    for name, known in PRESETS.items():
        with Image.open(io.BytesIO(to_png(picture, known.recipe))) as read:
            read.load()
            assert read.text.get("License") == (f"{known.licence}, {known.licence_url}" if known.fetched else None)
        assert read_recipe(to_png(picture, PRESETS[name].recipe)) == known.recipe
