"""A finished picture with all that belongs to it, as Python users get it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imagen_core.check import Check
from imagen_core.metadata import MetadataError, quoted, save_png
from imagen_core.recipe import Recipe

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Picture:
    """A picture (RGB, square), the recipe that draws it alone, and its check, None where there is none."""

    image: Image
    recipe: Recipe
    check: Check | None = None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a PNG file that carries recipe and check, whole or not at all; a file that is there is replaced.

        `python -m imagen_core --recipe PATH`, the page and `imagen_core.read_recipe` read the recipe from it, which
        `image.save(path)` leaves out.

        Raises:
            MetadataError: `path` does not end in .png, or the file cannot be written; then what was at `path` is
                untouched.
        """
        if Path(path).suffix.lower() != ".png":
            name = quoted(Path(Path(path).name))
            raise MetadataError(f"A picture's name must end in .png, for only a PNG carries its recipe, not {name}.")
        save_png(self.image, self.recipe, Path(path), self.check)
