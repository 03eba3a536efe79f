"""The sheet of both enlargements: the same window of the same picture, twice."""

from __future__ import annotations

import numpy as np
from PIL import Image

from imagen_core.events import StageFinished
from imagen_core.imagen import Imagen
from imagen_core.training.side_by_side import PROMPTS, WINDOW, side_by_side


def test_both_windows_are_of_the_same_picture(tiny_imagen: Imagen) -> None:
    """Below are the model's own pixels; above, reduced to 256 again, the picture that both were made from."""
    sheet = side_by_side(tiny_imagen, ["a cat", "a dog"], seed=7)
    assert sheet.size == (2 * (WINDOW + 4), 2 * (WINDOW + 20))
    for column, prompt in enumerate(("a cat", "a dog")):
        recipe = tiny_imagen.recipe(prompt, seed=7)
        x = column * (WINDOW + 4)
        edge = (1024 - WINDOW) // 2
        drawn = sheet.crop((x, WINDOW + 20, x + WINDOW, 2 * WINDOW + 20))
        whole = tiny_imagen.generate(recipe)[0]
        assert drawn.tobytes() == whole.crop((edge, edge, edge + WINDOW, edge + WINDOW)).tobytes()
        (before,) = (e.x_0 for e in tiny_imagen.stream(recipe) if isinstance(e, StageFinished) and e.stage == "sr256")
        small = sheet.crop((x, 0, x + WINDOW, WINDOW)).resize((WINDOW // 4, WINDOW // 4), Image.Resampling.BOX)
        side = slice(edge // 4, (edge + WINDOW) // 4)
        expected = before[0, :, side, side].clamp(-1, 1).permute(1, 2, 0).numpy()
        # Noise in every pixel: another window or picture would not go with it at all.
        assert np.corrcoef(np.asarray(small, dtype=float).ravel(), expected.ravel())[0, 1] > 0.9


def test_the_fixed_prompts_are_ones_that_the_encoder_can_read(tiny_imagen: Imagen) -> None:
    for prompt in PROMPTS:
        assert tiny_imagen.tokens(prompt).unknown == ()
