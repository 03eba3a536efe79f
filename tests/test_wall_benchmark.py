"""The figures of the wall are those of real walls."""

from __future__ import annotations

from imagen_core.imagen import Imagen
from imagen_core.wall_benchmark import measure


def test_figures_belong_together(tiny_imagen: Imagen) -> None:
    figures = measure(tiny_imagen, num_drafts=10, pairs=1)
    assert figures["ratio"] == figures["single_s"] * 10 / figures["wall_s"]
    assert figures["ratio_float32"] == figures["single_s"] * 10 / figures["wall_float32_s"]
    assert min(figures["wall_s"], figures["wall_float32_s"], figures["single_s"]) > 0
