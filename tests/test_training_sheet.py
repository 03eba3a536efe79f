"""The sheet of samples: every prompt's picture at its place."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

from imagen_core.imagen import Imagen
from imagen_core.training.sheet import PROMPTS, draw


def test_a_sheet_shows_each_prompts_own_picture_in_order(tiny_imagen: Imagen) -> None:
    prompts = ["a cat", "a dog", "two stars"]
    sheet = draw(tiny_imagen, prompts, "base", columns=2)
    assert sheet.size == (2 * 132, 2 * 158)
    cells = [sheet.crop((x, y, x + 128, y + 128)) for x, y in ((0, 0), (132, 0), (0, 158))]
    for prompt, cell in zip(prompts, cells, strict=True):
        recipe = replace(tiny_imagen.recipe(prompt, seed=7), last_stage="base")
        picture = tiny_imagen.generate(recipe)[0]
        assert picture.size == (64, 64)
        assert cell.resize((64, 64), Image.Resampling.NEAREST).tobytes() == picture.tobytes()
    assert len({cell.tobytes() for cell in cells}) == 3
    assert sheet.crop((132, 158, 264, 316)).getextrema() == ((255, 255),) * 3  # the last place is empty
    assert sheet.crop((0, 130, 130, 158)).convert("L").getextrema()[0] < 100  # the prompt is written below


def test_the_fixed_prompts_are_ones_that_the_encoder_can_read(tiny_imagen: Imagen) -> None:
    for prompt in PROMPTS:
        reading = tiny_imagen.tokens(prompt)
        assert (reading.unknown, reading.cut) == ((), "")
