"""The 1024 stage next to a bicubic enlargement of the same 256-pixel picture, for a person to judge.

python -m imagen_core.training.side_by_side --output sr1024.webp
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from imagen_core.events import StageFinished
from imagen_core.imagen import Imagen
from imagen_core.images import to_pil
from imagen_core.training.super_resolution import bicubic

PROMPTS = (
    "a red apple on a wooden table",
    "a cat",
    "a castle in the desert",
    "a butterfly on a yellow background",
)
WINDOW = 384  # pixels of the 1024 ones that are shown, unscaled, from the middle
_LINE = 20


def side_by_side(imagen: Imagen, prompts: Sequence[str], seed: int) -> Image.Image:
    """A column a prompt: above the bicubic enlargement, below what the stage drew, each the same middle window."""
    sheet = Image.new("RGB", (len(prompts) * (WINDOW + 4), 2 * (WINDOW + _LINE)), "white")
    pen = ImageDraw.Draw(sheet)
    for column, prompt in enumerate(prompts):
        drawn = [event for event in imagen.stream(imagen.recipe(prompt, seed)) if isinstance(event, StageFinished)]
        before, last = (event.x_0.cpu().clamp(-1, 1) for event in drawn[-2:])
        pictures = {f"{prompt}, bicubic": bicubic(before, last.shape[2]), f"{prompt}, drawn at 1024": last}
        for row, (words, pixels) in enumerate(pictures.items()):
            edge = (pixels.shape[2] - WINDOW) // 2
            window = to_pil(pixels)[0].crop((edge, edge, edge + WINDOW, edge + WINDOW))
            x, y = column * (WINDOW + 4), row * (WINDOW + _LINE)
            sheet.paste(window, (x, y))
            pen.text((x + 2, y + WINDOW + 3), words, fill="black", font_size=12)
    return sheet


def main() -> None:
    """Draw the fixed prompts and write the sheet."""
    parser = argparse.ArgumentParser(description="The 1024 stage next to a bicubic enlargement.")
    parser.add_argument("--model", default="bundled", help="preset or model folder")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path("sr1024.webp"))
    arguments = parser.parse_args()
    side_by_side(Imagen.from_pretrained(arguments.model), PROMPTS, arguments.seed).save(arguments.output)


if __name__ == "__main__":
    main()
