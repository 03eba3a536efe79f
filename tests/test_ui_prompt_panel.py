"""The prompt that the page makes up."""

from __future__ import annotations

import pytest

from imagen_core.imagen import Imagen
from imagen_core.ui.model import BackgroundModel
from imagen_core.ui.prompt_panel import surprise

TEXTS = ("an example",)


def test_a_surprise_is_of_words_that_the_model_knows(tiny_imagen: Imagen) -> None:
    model = BackgroundModel(lambda: tiny_imagen)
    model.get()
    prompt = surprise(model, TEXTS)
    assert prompt not in TEXTS
    assert tiny_imagen.vocabulary is not None
    assert tiny_imagen.vocabulary.foreign(prompt) == ()


def test_a_surprise_waits_for_no_model() -> None:
    """The button did nothing while a model loaded, and broke where it could not be loaded."""

    def load() -> Imagen:
        pytest.fail("the model was asked for")

    assert surprise(BackgroundModel(load), TEXTS) in TEXTS
