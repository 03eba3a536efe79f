"""What is measured of the super-resolution stages, against values worked out by hand, and the stages' own pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from imagen_core.events import StageFinished
from imagen_core.imagen import Imagen
from imagen_core.training.lpips import distance
from imagen_core.training.super_resolution import (
    bicubic,
    edge_sharpness,
    enlarge,
    own_sharpness,
    psnr,
    slope,
    super_resolution,
)
from tests.drawn_sprites import drawn_sprites


@pytest.fixture(scope="module")
def sprites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield from drawn_sprites(tmp_path_factory.mktemp("cache"))


def test_psnr_is_the_formulas() -> None:
    """Pictures in [-1, 1]: a difference of 0.2 everywhere is 10 log10(2^2 / 0.04) = 20 dB."""
    picture = torch.zeros(1, 3, 8, 8)
    assert psnr(picture, picture + 0.2) == pytest.approx(20)
    assert psnr(picture, picture + 0.02) == pytest.approx(40, abs=1e-4)


def step(slope: float) -> torch.Tensor:
    """A vertical edge from -1 to 1 in the middle of 64 pixels, so much brighter from pixel to pixel."""
    line = ((torch.arange(64) - 31.5) * slope).clamp(-1, 1)
    return line.expand(1, 3, 64, 64)


def test_steepness_is_the_length_of_the_gradient() -> None:
    x, y = torch.meshgrid(torch.arange(9.0), torch.arange(9.0), indexing="xy")
    assert torch.allclose(slope((0.03 * x + 0.04 * y).expand(1, 3, 9, 9)), torch.tensor(0.05))


def test_an_edge_four_times_as_wide_is_a_quarter_as_sharp() -> None:
    sharp, soft = step(1 / 4), step(1 / 16)
    assert edge_sharpness(sharp, sharp) == pytest.approx(1)
    assert edge_sharpness(soft, sharp) == pytest.approx(0.25, abs=1e-5)
    assert own_sharpness(sharp) / own_sharpness(soft) == pytest.approx(4, abs=1e-4)
    assert edge_sharpness(sharp.roll(20, dims=3), sharp) == 0  # sharp at another place


def test_the_stage_alone_draws_what_it_draws_in_the_cascade(tiny_imagen: Imagen) -> None:
    recipe = tiny_imagen.recipe("a cat", seed=5)
    drawn = {event.stage: event.x_0 for event in tiny_imagen.stream(recipe) if isinstance(event, StageFinished)}
    for before, stage in (("base", "sr256"), ("sr256", "sr1024")):
        alone = enlarge(tiny_imagen, stage, drawn[before].clamp(-1, 1), "a cat", seed=5)
        assert torch.equal(alone, drawn[stage].clamp(-1, 1)), stage


def test_bicubic_keeps_flat_pictures_and_their_range() -> None:
    assert torch.equal(bicubic(torch.full((1, 3, 8, 8), 0.5), 32), torch.full((1, 3, 32, 32), 0.5))
    assert float(bicubic(step(2.0), 256).abs().max()) == 1


def test_the_figures_compare_both_ways_on_real_and_on_generated_pictures(tiny_imagen: Imagen, sprites: Path) -> None:
    figures = super_resolution(tiny_imagen, 1, lambda first, second: float((first - second).abs().mean()))
    assert figures["pictures"] == 1
    real, generated = figures["real"], figures["generated"]
    assert isinstance(real, dict)
    assert isinstance(generated, dict)
    for stage in ("sr256", "sr1024"):
        # A random network is far from the truth, bicubic near to it; and noise is steep.
        assert real[stage]["bicubic_psnr"] > real[stage]["model_psnr"] + 3
        assert real[stage]["bicubic_lpips"] < real[stage]["model_lpips"]
        assert 0 < real[stage]["bicubic_edges"] < 1
        assert real[stage]["true_own_over_bicubic"] > 0
        assert generated[stage]["model_own_over_bicubic"] > 0
        assert all(math.isfinite(value) for value in real[stage].values())


def test_lpips_is_the_papers_formula() -> None:
    """Equation 1 of arXiv 1801.03924, step by step for one layer: the others are judged with weight 0.

    A picture is at no distance from itself, and the measure is the same both ways.
    """
    rng = np.random.default_rng(0)
    shapes = [(11, 11, 3, 64), (5, 5, 64, 192), (3, 3, 192, 384), (3, 3, 384, 256), (3, 3, 256, 256)]
    net = {
        f"Conv_{k}": {
            "kernel": rng.normal(0, 0.05, shape).astype("float32"),
            "bias": rng.normal(0, 0.1, shape[3]).astype("float32"),
        }
        for k, shape in enumerate(shapes)
    }
    judges = [np.zeros((1, 1, shape[3], 1), "float32") for shape in shapes]
    judges[0] = rng.uniform(0, 1, judges[0].shape).astype("float32")
    weights = {"AlexNet_0": net, **{f"NetLinLayer_{k}": {"Conv_0": {"kernel": judges[k]}} for k in range(5)}}
    measure = distance(weights)
    first, second = torch.rand(2, 1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert measure(first, first) == 0

    def unit_features(picture: torch.Tensor) -> torch.Tensor:
        """At output place (row 3, column 5): the 11 x 11 window that begins 2 pixels before 4 times the place."""
        scaled = [
            (picture[0, c] - s) / w for c, (s, w) in enumerate(((-0.030, 0.458), (-0.088, 0.448), (-0.188, 0.450)))
        ]
        window = torch.stack(scaled)[:, 4 * 3 - 2 : 4 * 3 + 9, 4 * 5 - 2 : 4 * 5 + 9]
        kernel = torch.from_numpy(net["Conv_0"]["kernel"])
        seen = (torch.einsum("chw,hwco->o", window, kernel) + torch.from_numpy(net["Conv_0"]["bias"])).relu()
        return seen / seen.norm()

    at_one_place = ((unit_features(first) - unit_features(second)) ** 2) @ torch.from_numpy(judges[0]).flatten()
    assert float(at_one_place) > 0
    whole = measure(first, second)
    assert whole == pytest.approx(measure(second, first))
    # The measure is the mean over all places; these two pictures of noise differ about as much everywhere.
    assert whole == pytest.approx(float(at_one_place), rel=0.5)
    assert whole > 0
