"""The loss curve: what an interrupted run repeats comes once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagen_core.training.curve import read


def test_what_was_repeated_after_an_interruption_comes_once(tmp_path: Path) -> None:
    log = tmp_path / "base.jsonl"
    rows = [(32, 0.9), (64, 0.8), (96, 0.7), (64, 0.75), (96, 0.65), (128, 0.6)]
    log.write_text("".join(json.dumps({"images": images, "loss": loss}) + "\n" for images, loss in rows))
    assert read(log) == [(32, 0.9), (64, 0.75), (96, 0.65), (128, 0.6)]


def test_curves_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from PIL import Image

    from imagen_core.training.curve import plot

    plot({"base": [(n, 1 / n) for n in range(1, 40)]}, tmp_path / "loss.png")
    with Image.open(tmp_path / "loss.png") as drawn:
        assert drawn.size == (1080, 312)
