"""Sprites: pictures of single things on a transparent ground, rendered once from openly licensed icon sets.

The icon sets are npm packages at fixed versions. `npm pack` fetches them; each tarball is checked against the SHA-256
below before it is opened. resvg turns the SVG of a concept into a 512-pixel RGBA picture, kept as PNG in a cache
folder. NOTICE names the sets' authors and licences.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SPRITE_SIZE = 512


@dataclass(frozen=True)
class IconSet:
    """One npm package of icons. `style` is how captions name its look."""

    style: str
    package: str
    version: str
    sha256: str


ICON_SETS = (
    IconSet(
        "cartoon", "@iconify-json/noto", "1.2.9", "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad"
    ),
    IconSet(
        "flat", "@iconify-json/fluent-emoji-flat", "1.2.6", "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175"
    ),
)


@dataclass(frozen=True)
class Concept:
    """A thing that the model shall draw, one row of concepts.csv.

    `colour` is the colour that the icon has of itself, "" where no single colour word fits it.
    """

    icon: str
    noun: str
    plural: str
    colour: str
    synonyms: tuple[str, ...]


@lru_cache(maxsize=1)
def concepts() -> tuple[Concept, ...]:
    """All concepts in the table's order."""
    with (Path(__file__).parent / "concepts.csv").open(newline="", encoding="utf-8") as table:
        return tuple(
            Concept(row["icon"], row["noun"], row["plural"], row["colour"], tuple(filter(None, row["synonyms"].split(";"))))
            for row in csv.DictReader(table)
        )


def cache_folder() -> Path:
    """Where sprites and training states are kept: `$XDG_CACHE_HOME/imagen_core`, by default in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imagen_core"


def fetch(icon_set: IconSet, folder: Path) -> Path:
    """Return the set's tarball in `folder`, fetched with `npm pack` where it is not there yet.

    Raises:
        RuntimeError: npm failed, or the tarball is not the one that was named.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{icon_set.package.strip('@').replace('/', '-')}-{icon_set.version}.tgz"
    path = folder / name
    if not path.exists():
        command = ["npm", "pack", "--silent", f"{icon_set.package}@{icon_set.version}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"npm could not fetch {icon_set.package}@{icon_set.version}: {done.stderr.strip()[-300:]}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != icon_set.sha256:
        raise RuntimeError(f"{path} has SHA-256 {digest}, not {icon_set.sha256}: delete it and fetch it again.")
    return path


def _icons(tarball: Path) -> dict[str, str]:
    """SVG text by icon name."""
    with tarfile.open(tarball) as archive:
        member = archive.extractfile("package/icons.json")
        assert member is not None
        data = json.load(member)
    width, height = data.get("width", 16), data.get("height", 16)
    names = dict.fromkeys(data["icons"])
    names.update({alias: entry["parent"] for alias, entry in data.get("aliases", {}).items()})
    svg: dict[str, str] = {}
    for name, parent in names.items():
        icon = data["icons"][parent or name]
        box = f"0 0 {icon.get('width', width)} {icon.get('height', height)}"
        svg[name] = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{icon["body"]}</svg>'
    return svg


def render_all(folder: Path | None = None) -> Iterator[tuple[int, int, Path]]:
    """Render every concept in every style that is not in the cache yet; yields (done, of, path)."""
    import resvg_py

    folder = folder or cache_folder()
    total = len(ICON_SETS) * len(concepts())
    for set_index, icon_set in enumerate(ICON_SETS):
        svg = _icons(fetch(icon_set, folder / "npm"))
        for index, concept in enumerate(concepts()):
            path = sprite_path(concept, icon_set.style, folder)
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                data = resvg_py.svg_to_bytes(svg_string=svg[concept.icon], width=SPRITE_SIZE, height=SPRITE_SIZE)
                temporary = path.with_suffix(".part")
                _cropped(Image.open(io.BytesIO(bytes(data)))).save(temporary, format="PNG")
                temporary.replace(path)
            yield set_index * len(concepts()) + index + 1, total, path


def _cropped(image: Image.Image) -> Image.Image:
    """Centre what is visible and scale it so that its longer side fills the square."""
    image = image.convert("RGBA")
    box = image.getchannel("A").point(lambda alpha: 255 if alpha > 8 else 0).getbbox()
    assert box is not None, "an empty icon"
    side = max(box[2] - box[0], box[3] - box[1])
    square = Image.new("RGBA", (side, side))
    square.paste(image.crop(box), ((side - (box[2] - box[0])) // 2, (side - (box[3] - box[1])) // 2))
    return square.resize((SPRITE_SIZE, SPRITE_SIZE), Image.Resampling.LANCZOS)


def sprite_path(concept: Concept, style: str, folder: Path | None = None) -> Path:
    """The PNG of `concept` in `style`."""
    return (folder or cache_folder()) / "sprites" / style / f"{concept.icon}.png"


@lru_cache(maxsize=4096)
def sprite(icon: str, style: str, size: int) -> NDArray[np.float32]:
    """(size, size, 4) premultiplied RGBA in [0, 1], reduced from the 512-pixel picture with a box filter."""
    path = cache_folder() / "sprites" / style / f"{icon}.png"
    rgba = np.asarray(Image.open(path), dtype=np.float32) / 255.0
    rgba[..., :3] *= rgba[..., 3:]
    factor = SPRITE_SIZE // size
    return rgba.reshape(size, factor, size, factor, 4).mean(axis=(1, 3), dtype=np.float32)
