"""Where a model looks for the words of some prompts: `python -m imagen_core.training.word_maps_sheet`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from PIL import Image
from torch import Tensor

from imagen_core.events import Preview
from imagen_core.imagen import Imagen
from imagen_core.images import to_pil
from imagen_core.training.sheet import tile

ASKED = (
    ("a green cat to the left of a red house", ("green", "cat", "left", "red", "house")),
    ("a red key below a green guitar", ("red", "key", "below", "green", "guitar")),
    ("three blue stars above a turtle on a beach", ("blue", "stars", "above", "turtle", "beach")),
)


def maps_of(imagen: Imagen, prompt: str, words: tuple[str, ...]) -> tuple[Image.Image, list[Image.Image]]:
    """x_0 of the base at the middle of its steps, seed 7, and there a map of each word, white at its peak."""
    recipe = replace(imagen.recipe(prompt, seed=7), last_stage="base")
    for event in imagen.stream(recipe, attention=True):
        if isinstance(event, Preview) and event.attention is not None and event.step == event.num_steps // 2:
            found = [event.attention.maps[0, event.attention.words.index(word)] for word in words]
            return to_pil(event.x_0)[0], [_gray(map_) for map_ in found]
    raise ValueError(f"no attention to the words of {prompt!r} was recorded.")


def _gray(map_: Tensor) -> Image.Image:
    return to_pil((map_ / map_.max() * 2 - 1).expand(1, 3, -1, -1))[0].resize((128, 128), Image.Resampling.BICUBIC)


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="bundled", help="preset or model folder")
    parser.add_argument("--output", type=Path, default=Path("word-maps.png"))
    arguments = parser.parse_args()
    imagen = Imagen.from_pretrained(arguments.model)
    pictures, texts = list[Image.Image](), list[str]()
    for prompt, words in ASKED:
        picture, maps = maps_of(imagen, prompt, words)
        pictures += [picture, *maps]
        texts += [prompt, *words]
    tile(pictures, texts, columns=1 + len(ASKED[0][1])).save(arguments.output)


if __name__ == "__main__":
    main()
