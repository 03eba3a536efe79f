"""A sheet of samples for fixed prompts: what a person looks at to judge a model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw

from imagen_core.imagen import Imagen
from imagen_core.training.scenes import article
from imagen_core.training.sprites import concepts

PROMPTS = (
    "a red apple on a wooden table",
    "a cat",
    "a banana on a blue background",
    "a blue car",
    "a house on a meadow",
    "a panda in the snow",
    "a rocket under a starry night sky",
    "a sunflower",
    "an owl, flat style",
    "a cartoon drawing of a frog on a pink background",
    "a turtle on a beach",
    "a pizza",
    "a purple balloon in the sky",
    "a palm tree at sunset",
    "two robots on a gray background",
    "three stars",
    "a cat to the left of a dog",
    "a sailboat on the water",
    "a puppy",
    "a castle in the desert",
    "a strawberry on a white background",
    "a penguin in the snow",
    "a guitar",
    "a mushroom on a meadow",
)


def draw(imagen: Imagen, prompts: Sequence[str], last_stage: str, columns: int = 8) -> Image.Image:
    """One picture a prompt, 128 pixels each, with its prompt below."""
    side, line = 128, 30
    sheet = Image.new("RGB", (columns * (side + 4), -(-len(prompts) // columns) * (side + line)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, prompt in enumerate(prompts):
        recipe = replace(imagen.recipe(prompt, seed=7), last_stage=last_stage)
        picture = imagen.generate(recipe)[0]
        x, y = number % columns * (side + 4), number // columns * (side + line)
        resample = Image.Resampling.NEAREST if picture.width < side else Image.Resampling.LANCZOS
        sheet.paste(picture.resize((side, side), resample), (x, y))
        pen.text((x + 2, y + side + 1), f"{prompt[:26]}\n{prompt[26:52]}", fill="black", font_size=9)
    return sheet


def main() -> None:
    """Draw the fixed prompts and write the sheet."""
    parser = argparse.ArgumentParser(description="Draw a sheet of samples.")
    parser.add_argument("--model", default="bundled", help="preset or model folder")
    parser.add_argument("--last-stage", default="base", choices=["base", "sr256", "sr1024"])
    parser.add_argument("--concepts", action="store_true", help="every concept on a white background instead")
    parser.add_argument("--output", type=Path, default=Path("sheet.png"))
    arguments = parser.parse_args()
    prompts = [f"{article(concept.noun)} {concept.noun}" for concept in concepts()] if arguments.concepts else PROMPTS
    draw(Imagen.from_pretrained(arguments.model), prompts, arguments.last_stage).save(arguments.output)


if __name__ == "__main__":
    main()
