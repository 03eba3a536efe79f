"""The command line with a model at hand."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from PIL import Image

from imagen_core.__main__ import main
from imagen_core.imagen import Imagen

FEW_STEPS = ("--steps", "3", "--set", "sr256.num_steps=2", "--set", "sr1024.num_steps=1", "--quiet")

ONE_STAGE = ("--steps", "2", "--last-stage", "base", "--quiet")


def never(model: str) -> NoReturn:
    raise AssertionError(f"{model} was loaded, though the arguments are wrong or ask for no picture")


def drawn(imagen: Imagen, *arguments: str) -> int:
    return main(arguments, load=lambda model: imagen)


def pixels(path: str | Path) -> bytes:
    with Image.open(path) as picture:
        return picture.tobytes()
