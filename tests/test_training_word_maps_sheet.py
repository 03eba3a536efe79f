"""The sheet of word maps: each word's own map, at its place."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from imagen_core.events import Preview
from imagen_core.imagen import Imagen
from imagen_core.training import word_maps_sheet
from imagen_core.training.word_maps_sheet import ASKED, maps_of


def test_a_map_is_brightest_where_its_word_is_looked_for_most(tiny_imagen: Imagen) -> None:
    prompt, words = ASKED[0]
    picture, maps = maps_of(tiny_imagen, prompt, words)
    assert picture.size == (64, 64)
    recipe = tiny_imagen.recipe(prompt, seed=7).updated({"last_stage": "base"})
    events = [event for event in tiny_imagen.stream(recipe, attention=True) if isinstance(event, Preview)]
    attention = events[len(events) // 2 - 1].attention
    assert attention is not None
    for word, shown in zip(words, maps, strict=True):
        truth = attention.maps[0, attention.words.index(word)]
        gray = torch.tensor(list(shown.convert("L").tobytes())).reshape(128, 128).float()
        small = torch.nn.functional.adaptive_avg_pool2d(gray[None], truth.shape[-1])[0]
        assert float(torch.corrcoef(torch.stack([small.flatten(), truth.flatten()]))[0, 1]) > 0.95


def test_the_command_writes_a_row_a_prompt(
    tiny_imagen: Imagen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_maps_sheet.Imagen, "from_pretrained", lambda _: tiny_imagen)
    monkeypatch.setattr(sys, "argv", ["word_maps_sheet", "--output", str(tmp_path / "maps.png")])
    word_maps_sheet.main()
    with Image.open(tmp_path / "maps.png") as drawn:
        assert drawn.size == (6 * 132, len(ASKED) * 170)
