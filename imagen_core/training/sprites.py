"""Sprites: pictures of single things on a transparent ground, rendered once from openly licensed icon sets.

The icon sets are npm packages at fixed versions. `npm pack` fetches them; each tarball is checked against the SHA-256
below before it is opened. resvg turns the SVG of a concept into a 1024-pixel RGBA picture, kept as PNG in a cache
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
import torch
from PIL import Image
from torch import Tensor

SPRITE_SIZE = 1024
_PROBE = 256  # pixels at which the visible part of an icon is measured


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
        "flat",
        "@iconify-json/fluent-emoji-flat",
        "1.2.6",
        "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
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
            Concept(
                row["icon"], row["noun"], row["plural"], row["colour"], tuple(filter(None, row["synonyms"].split(";")))
            )
            for row in csv.DictReader(table)
        )


def cache_folder() -> Path:
    """Where sprites and training states are kept: `$XDG_CACHE_HOME/imagen_core`, by default in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imagen_core"


def fetch(icon_set: IconSet, folder: Path) -> Path:
    """Return the set's tarball in `folder`, fetched with `npm pack` where it is not there yet.

    Raises:
        RuntimeError: npm is missing or failed, or the tarball is not the one that was named.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{icon_set.package.strip('@').replace('/', '-')}-{icon_set.version}.tgz"
    path = folder / name
    if not path.exists():
        command = ["npm", "pack", "--silent", f"{icon_set.package}@{icon_set.version}"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        except OSError as error:
            raise RuntimeError(f"npm, which fetches {icon_set.package}, cannot be started: {error}.") from error
        if done.returncode != 0:
            raise RuntimeError(
                f"npm could not fetch {icon_set.package}@{icon_set.version}: {done.stderr.strip()[-300:]}"
            )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != icon_set.sha256:
        raise RuntimeError(f"{path} has SHA-256 {digest}, not {icon_set.sha256}: delete it and fetch it again.")
    return path


@dataclass(frozen=True)
class Icon:
    """SVG elements and the box (left, top, width, height) that they are drawn in."""

    body: str
    box: tuple[float, float, float, float]

    def render(self, size: int) -> Image.Image:
        """RGBA, size x size."""
        import resvg_py

        view_box = " ".join(f"{value:.4f}" for value in self.box)
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view_box}">{self.body}</svg>'
        return Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size)))).convert(
            "RGBA"
        )

    def cropped(self) -> Icon:
        """The same drawing in the smallest square box that holds what is visible of it."""
        visible = self.render(_PROBE).getchannel("A").point(lambda alpha: 255 if alpha > 8 else 0).getbbox()
        if visible is None:
            raise ValueError("an icon shows nothing")
        left, top, right, bottom = visible
        side = max(right - left, bottom - top) + 2
        scale = self.box[2] / _PROBE
        x, y = (left + right - side) / 2, (top + bottom - side) / 2
        return Icon(self.body, (self.box[0] + x * scale, self.box[1] + y * scale, side * scale, side * scale))


def _icons(tarball: Path) -> dict[str, Icon]:
    """Icons by name."""
    with tarfile.open(tarball) as archive:
        member = archive.extractfile("package/icons.json")
        if member is None:
            raise ValueError(f"{tarball} holds no icons.json")
        data = json.load(member)
    parents = dict.fromkeys(data["icons"]) | {
        alias: entry["parent"] for alias, entry in data.get("aliases", {}).items()
    }
    icons: dict[str, Icon] = {}
    for name, parent in parents.items():
        icon = data["icons"][parent or name]
        width = icon.get("width", data.get("width", 16))
        icons[name] = Icon(icon["body"], (0, 0, width, icon.get("height", data.get("height", width))))
    return icons


def render_all(folder: Path | None = None) -> Iterator[tuple[int, int, Path]]:
    """Render every concept in every style that is not in the cache yet; yields (done, of, path)."""
    folder = folder or cache_folder()
    total = len(ICON_SETS) * len(concepts())
    for set_index, icon_set in enumerate(ICON_SETS):
        icons = _icons(fetch(icon_set, folder / "npm"))
        for index, concept in enumerate(concepts()):
            path = sprite_path(concept.icon, icon_set.style, folder)
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary = path.with_suffix(".part")
                icons[concept.icon].cropped().render(SPRITE_SIZE).save(temporary, format="PNG")
                temporary.replace(path)
            yield set_index * len(concepts()) + index + 1, total, path


def sprite_path(icon: str, style: str, folder: Path | None = None) -> Path:
    """The PNG of a concept's icon in a style."""
    return (folder or cache_folder()) / "sprites" / style / f"{icon}.png"


@lru_cache(maxsize=1024)
def sprite(icon: str, style: str, size: int) -> Tensor:
    """(4, size, size) premultiplied RGBA in [0, 1], float32, reduced from the 1024-pixel picture with a box filter."""
    rgba = np.asarray(Image.open(sprite_path(icon, style)).reduce(SPRITE_SIZE // size), dtype=np.float32) / 255.0
    rgba[..., :3] *= rgba[..., 3:]
    return torch.from_numpy(rgba).permute(2, 0, 1).contiguous()
