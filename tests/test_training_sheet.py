"""The sheet of samples: every prompt's picture at its place."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

from imagen_core.imagen import Imagen
from imagen_core.training.sheet import PROMPTS, WORDS, draw, draw_words, told


def test_a_sheet_shows_each_prompts_own_picture_in_order(tiny_imagen: Imagen) -> None:
    prompts = ["a cat", "a dog", "two stars"]
    sheet = draw(tiny_imagen, prompts, "base", columns=2)
    assert sheet.size == (2 * 132, 2 * 170)
    cells = [sheet.crop((x, y, x + 128, y + 128)) for x, y in ((0, 0), (132, 0), (0, 170))]
    for prompt, cell in zip(prompts, cells, strict=True):
        recipe = replace(tiny_imagen.recipe(prompt, seed=7), last_stage="base")
        picture = tiny_imagen.generate(recipe)[0]
        assert picture.size == (64, 64)
        assert cell.resize((64, 64), Image.Resampling.NEAREST).tobytes() == picture.tobytes()
    assert len({cell.tobytes() for cell in cells}) == 3
    assert sheet.crop((132, 170, 264, 340)).getextrema() == ((255, 255),) * 3  # the last place is empty
    assert sheet.crop((0, 130, 130, 170)).convert("L").getextrema()[0] < 100  # the prompt is written below


def test_the_fixed_prompts_are_ones_that_the_encoder_can_read(tiny_imagen: Imagen) -> None:
    for prompt in PROMPTS:
        reading = tiny_imagen.tokens(prompt)
        assert (reading.unknown, reading.cut) == ((), "")


def test_the_sheet_of_words_draws_each_recipe_and_tells_what_differs(tiny_imagen: Imagen) -> None:
    labels = [told(changes) for changes in WORDS]
    assert len(set(labels)) == len(WORDS)
    assert "(no prompt)" in labels
    assert "a dog; without brown" in labels
    sheet = draw_words(tiny_imagen, "base")
    place = labels.index("a dog; without brown")
    x, y = place % 8 * 132, place // 8 * 170
    recipe = tiny_imagen.recipe("a dog", seed=7).updated({"negative_prompt": "brown", "last_stage": "base"})
    picture = tiny_imagen.generate(recipe)[0].resize((128, 128), Image.Resampling.NEAREST)
    assert sheet.crop((x, y, x + 128, y + 128)).tobytes() == picture.tobytes()
