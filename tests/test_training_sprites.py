"""Sprites: the table of concepts, tarballs that are checked, and icons cut to what they show. No network, no npm."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from imagen_core.training import sprites
from imagen_core.training.colours import COLOURS
from imagen_core.training.sprites import (
    ICON_SETS,
    Icon,
    IconSet,
    cache_folder,
    concepts,
    fetch,
    render_all,
    sprite,
    sprite_path,
)

DOT = '<circle cx="11" cy="5" r="3" fill="#ff0000"/>'  # in a box of 16


def tarball(folder: Path, style: str, icons: dict[str, dict[str, object]], **values: object) -> IconSet:
    """A package of icons as npm would have fetched it, and the set that names it."""
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"icons": icons, **values}).encode()
    path = folder / f"example-{style}-1.0.0.tgz"
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo("package/icons.json")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return IconSet(style, f"@example/{style}", "1.0.0", hashlib.sha256(path.read_bytes()).hexdigest())


# The table


def test_the_table_of_concepts_is_whole() -> None:
    table = concepts()
    assert len(table) >= 60
    assert len({concept.icon for concept in table}) == len({concept.noun for concept in table}) == len(table)
    for concept in table:
        assert concept.noun, concept.icon
        assert concept.plural, concept.icon
        assert not set(concept.synonyms) & {concept.noun, concept.plural}, concept.icon
        assert concept.colour in ("", *COLOURS), concept.icon
        assert all(word == word.strip().lower() for word in (concept.noun, concept.plural, *concept.synonyms))


# Fetching


def test_a_tarball_that_is_there_and_right_is_used_without_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    icon_set = tarball(tmp_path, "dots", {"dot": {"body": DOT}})
    monkeypatch.setenv("PATH", "")
    assert fetch(icon_set, tmp_path) == tmp_path / "example-dots-1.0.0.tgz"


def test_a_tarball_with_another_hash_is_refused_in_a_sentence(tmp_path: Path) -> None:
    icon_set = tarball(tmp_path, "dots", {"dot": {"body": DOT}})
    path = tmp_path / "example-dots-1.0.0.tgz"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(RuntimeError, match=rf"{path} has SHA-256 \w+, not {icon_set.sha256}: delete it and fetch"):
        fetch(icon_set, tmp_path)


def test_a_machine_without_npm_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"npm, which fetches @iconify-json/noto, cannot be started"):
        fetch(ICON_SETS[0], tmp_path / "npm")


# Icons


def test_an_icon_is_cut_to_the_square_that_it_shows() -> None:
    pytest.importorskip("resvg_py", reason="the weights' makers only need it")
    icon = Icon(DOT, (0, 0, 16, 16)).cropped()
    assert icon.box == pytest.approx((8, 2, 6, 6), abs=3 * 16 / 256)
    assert icon.box[2] == icon.box[3]
    shown = icon.render(128)
    assert (shown.size, shown.mode) == ((128, 128), "RGBA")
    left, top, right, bottom = shown.getchannel("A").getbbox() or (0, 0, 0, 0)
    assert max(left, top, 128 - right, 128 - bottom) <= 4
    assert shown.getpixel((64, 64)) == (255, 0, 0, 255)
    assert shown.getpixel((2, 2))[3] == 0


def test_a_wide_icon_keeps_its_shape() -> None:
    pytest.importorskip("resvg_py", reason="the weights' makers only need it")
    shown = Icon('<rect x="2" y="6" width="12" height="3"/>', (0, 0, 16, 16)).cropped().render(128)
    left, top, right, bottom = shown.getchannel("A").getbbox() or (0, 0, 0, 0)
    assert (right - left) / (bottom - top) == pytest.approx(4, rel=0.1)
    assert (top + bottom) / 2 == pytest.approx(64, abs=2)


def test_an_icon_that_shows_nothing_is_refused() -> None:
    pytest.importorskip("resvg_py", reason="the weights' makers only need it")
    with pytest.raises(ValueError, match="shows nothing"):
        Icon("", (0, 0, 16, 16)).cropped()


def test_all_sprites_are_drawn_once_into_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two small sets with the three first concepts, one of them under an alias and in another box."""
    pytest.importorskip("resvg_py", reason="the weights' makers only need it")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = cache_folder()
    assert folder == tmp_path / "imagen_core"
    first, second, third = (concept.icon for concept in concepts()[:3])
    square = '<path d="M0 0h32v32h-32z" fill="#0000ff"/>'
    icons: dict[str, dict[str, object]] = {first: {"body": DOT}, "other": {"body": square, "width": 32, "height": 32}}
    aliases = {second: {"parent": "other"}, third: {"parent": first}}
    sets = tuple(tarball(folder / "npm", style, icons, aliases=aliases, width=16) for style in ("dots", "spots"))
    monkeypatch.setattr(sprites, "ICON_SETS", sets)
    monkeypatch.setattr(sprites, "concepts", lambda: concepts()[:3])
    done = list(render_all())
    assert [(number, total) for number, total, _ in done] == [(number, 6) for number in range(1, 7)]
    assert [path for _, _, path in done] == [
        folder / "sprites" / style / f"{icon}.png" for style in ("dots", "spots") for icon in (first, second, third)
    ]
    for _, _, path in done:
        with Image.open(path) as picture:
            assert picture.size == (1024, 1024)
            colour = (0, 0, 255, 255) if path.stem == second else (255, 0, 0, 255)
            assert picture.getpixel((512, 512)) == colour

    kept = {path: path.stat().st_mtime_ns for _, _, path in done}
    sprite_path(first, "spots").unlink()
    list(render_all())
    again = {path: path.stat().st_mtime_ns for _, _, path in done}
    assert {path for path in kept if again[path] != kept[path]} == {sprite_path(first, "spots")}
    assert not list(folder.rglob("*.part"))


def test_a_sprite_is_premultiplied_and_reduced_by_boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    sprite.cache_clear()
    picture = Image.new("RGBA", (1024, 1024), (0, 200, 0, 0))  # transparent green, which must not shine through
    picture.paste((255, 0, 0, 255), (0, 0, 520, 1024))  # 32 and a half columns at size 64
    picture.paste((0, 0, 255, 51), (520, 512, 1024, 1024))
    path = sprite_path("thing", "flat")
    path.parent.mkdir(parents=True)
    picture.save(path)
    small = sprite("thing", "flat", 64)
    sprite.cache_clear()
    assert small.shape == (4, 64, 64)
    assert small.dtype == torch.float32
    assert small[:, 10, 10].tolist() == [1, 0, 0, 1]
    assert small[:, 10, 50].tolist() == [0, 0, 0, 0]
    assert small[:, 50, 50].tolist() == pytest.approx([0, 0, 0.2, 0.2])
    assert small[:, 10, 32].tolist() == pytest.approx([0.5, 0, 0, 0.5], abs=0.01)
