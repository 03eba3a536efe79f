"""Sprites for all concepts without npm: a few drawings, shared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from imagen_core.training.sprites import concepts, sprite, sprite_path

INKS = ("red", "orange", "green", "blue", "purple", "brown")


def drawn_sprites(folder: Path) -> Iterator[Path]:
    """Make `folder` the cache folder, filled with a disc or a bar for every concept and style, while it is iterated."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        sprite.cache_clear()
        drawings = []
        for ink in INKS:
            for shape in ("disc", "bar"):
                picture = Image.new("RGBA", (1024, 1024))
                pen = ImageDraw.Draw(picture)
                box = (0, 0, 1023, 1023) if shape == "disc" else (256, 0, 768, 1023)
                (pen.ellipse if shape == "disc" else pen.rectangle)(box, fill=ink, outline="black", width=48)
                drawings.append(folder / f"{shape}-{ink}.png")
                picture.save(drawings[-1], compress_level=1)
        for number, concept in enumerate(concepts()):
            for style_number, style in enumerate(("cartoon", "flat")):
                path = sprite_path(concept.icon, style)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to(drawings[(number * 2 + style_number) % len(drawings)])
        yield folder
    sprite.cache_clear()
