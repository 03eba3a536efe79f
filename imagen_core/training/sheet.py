"""A sheet of samples for fixed prompts: what a person looks at to judge a model."""

from __future__ import annotations

import argparse
import random
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw

from imagen_core.imagen import Imagen
from imagen_core.images import to_pil
from imagen_core.training.captions import caption
from imagen_core.training.config import CONFIGS
from imagen_core.training.corpus import picture
from imagen_core.training.scenes import compose
from imagen_core.training.sprites import concepts, render_all
from imagen_core.vocabulary import article

PROMPTS = (
    "a red apple on a wooden table",
    "three blue stars above a green turtle on a beach",
    "a banana on a blue background",
    "a blue car",
    "a house on a meadow",
    "a panda in the snow",
    "a rocket under a starry night sky",
    "a sunflower",
    "an owl, flat style",
    "a cartoon drawing of a frog on a pink background",
    "a turtle on a beach",
    "a sketch of a castle",
    "a purple balloon in the sky",
    "a palm tree at sunset",
    "two robots on a gray background",
    "three stars",
    "a green cat to the left of a red house",
    "a sailboat on the water",
    "a puppy",
    "a castle in the desert",
    "a strawberry on a white background",
    "a penguin in the snow",
    "a red apple and a blue car",
    "a pixel art mushroom on a meadow",
)

# What words do: recipes that differ in their words alone, from the same seed.
_RESTYLED = {"prompt": "a pixel art picture of a cat on a meadow", "aug_level": 0.3}
WORDS: tuple[dict[str, object], ...] = (
    {"prompt": "a dog"},
    {"prompt": "a puppy"},
    {"prompt": "puppies"},
    {"prompt": "two dogs"},
    {"prompt": "DOG"},
    {"prompt": "dog, meadow, brown"},
    {"prompt": "a dog", "negative_prompt": "brown"},
    {"prompt": "a cartoon picture of a dog"},
    {"prompt": ""},
    {"prompt": "", "negative_prompt": "a cat"},
    {"prompt": "on a beach"},
    {"prompt": "an astronaut riding a horse"},
    {"prompt": "a photograph of a city street in the rain"},
    {"prompt": "ein roter Apfel auf einem Tisch"},
    {"prompt": "a cat on a meadow"},
    {"prompt": "a cat on a meadow", "sr256": _RESTYLED, "sr1024": _RESTYLED},
)


def told(changes: Mapping[str, object]) -> str:
    """What a recipe's changes are, in a line: "a dog; without brown"."""
    text = str(changes["prompt"]) or "(no prompt)"
    without = f"; without {changes['negative_prompt']}" if "negative_prompt" in changes else ""
    restyled = changes.get("sr256")
    words = f"; enlarged as {restyled['prompt']}" if isinstance(restyled, Mapping) else ""
    return f"{text}{without}{words}"


def tile(pictures: Sequence[Image.Image], texts: Sequence[str], columns: int = 8) -> Image.Image:
    """Pictures at 128 pixels, each with its text below."""
    side, line = 128, 42
    sheet = Image.new("RGB", (columns * (side + 4), -(-len(pictures) // columns) * (side + line)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (shown, text) in enumerate(zip(pictures, texts, strict=True)):
        x, y = number % columns * (side + 4), number // columns * (side + line)
        resample = Image.Resampling.NEAREST if shown.width < side else Image.Resampling.LANCZOS
        sheet.paste(shown.resize((side, side), resample), (x, y))
        pen.text((x + 2, y + side + 1), "\n".join(textwrap.wrap(text, 26)[:4]), fill="black", font_size=9)
    return sheet


def scenes_sheet(count: int) -> Image.Image:
    """Training scenes 0 ... count - 1 with their captions, as the base stage sees them."""
    pictures, captions = [], []
    for number in range(count):
        rng = random.Random(number)
        scene = compose(rng)
        captions.append(caption(scene, rng))
        pictures.append(to_pil(picture(scene, CONFIGS["base"], rng)[None])[0])
    return tile(pictures, captions)


def draw(imagen: Imagen, prompts: Sequence[str], last_stage: str, columns: int = 8) -> Image.Image:
    """What a model draws of each prompt with seed 7 and its default recipe, as a sheet."""
    recipes = [replace(imagen.recipe(prompt, seed=7), last_stage=last_stage) for prompt in prompts]
    return tile([imagen.generate(recipe)[0] for recipe in recipes], prompts, columns)


def draw_words(imagen: Imagen, last_stage: str) -> Image.Image:
    """What a model draws of WORDS with seed 7, as a sheet."""
    recipes = [imagen.recipe(seed=7).updated({"last_stage": last_stage, **changes}) for changes in WORDS]
    return tile([imagen.generate(recipe)[0] for recipe in recipes], [told(changes) for changes in WORDS])


def main() -> None:
    """Draw the fixed prompts and write the sheet."""
    parser = argparse.ArgumentParser(description="Draw a sheet of samples.")
    parser.add_argument("--model", default="bundled", help="preset or model folder")
    parser.add_argument("--last-stage", default="base", choices=["base", "sr256", "sr1024"])
    parser.add_argument("--concepts", action="store_true", help="every concept on a white background instead")
    parser.add_argument("--words", action="store_true", help="synonyms, loose order, no prompt and the like instead")
    parser.add_argument("--scenes", type=int, metavar="N", help="the first N training scenes instead")
    parser.add_argument("--output", type=Path, default=Path("sheet.png"))
    arguments = parser.parse_args()
    if arguments.scenes:
        for _ in render_all():
            pass
        scenes_sheet(arguments.scenes).save(arguments.output)
        return
    prompts = [f"{article(concept.noun)} {concept.noun}" for concept in concepts()] if arguments.concepts else PROMPTS
    imagen = Imagen.from_pretrained(arguments.model)
    if arguments.words:
        draw_words(imagen, arguments.last_stage).save(arguments.output)
    else:
        draw(imagen, prompts, arguments.last_stage).save(arguments.output)


if __name__ == "__main__":
    main()
