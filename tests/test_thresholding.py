"""Thresholding against a NumPy transcription of the paper."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from imagen_core.thresholding import Thresholding, threshold


def paper_dynamic(x_0: NDArray[np.float64], percentile: float) -> NDArray[np.float64]:
    """Section 2.3 of arXiv 2205.11487 with the pseudo-code of its appendix."""
    s = np.percentile(np.abs(x_0), percentile, axis=tuple(range(1, x_0.ndim)), keepdims=True)
    s = np.maximum(s, 1.0)
    return np.clip(x_0, -s, s) / s


def random_pictures(num_images: int, size: int, scale: float) -> torch.Tensor:
    noise = torch.randn(num_images, 3, size, size, generator=torch.Generator().manual_seed(size))
    return noise * scale * torch.linspace(0.5, 2, num_images).view(-1, 1, 1, 1)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("num_images", "size"), [(3, 5), (2, 64), (2, 256), (1, 1024)])
@pytest.mark.parametrize("percentile", [50.5, 99.5, 100.0])
def test_dynamic_is_the_paper(
    num_images: int, size: int, percentile: float, memory_format: torch.memory_format
) -> None:
    x_0 = random_pictures(num_images, size, 1.2).contiguous(memory_format=memory_format)
    done = threshold(x_0, Thresholding("dynamic", percentile))
    expected = paper_dynamic(x_0.numpy().astype(np.float64), percentile)
    assert np.abs(done.x_0.numpy() - expected).max() < 1e-6
    found = np.percentile(np.abs(x_0.numpy().astype(np.float64)), percentile, axis=(1, 2, 3))
    assert done.s == pytest.approx(found.tolist(), rel=1e-6)
    bounds = np.maximum(found, 1).reshape(-1, 1, 1, 1)
    clipped = (np.abs(x_0.numpy()) > bounds).mean(axis=(1, 2, 3))
    assert done.clipped_share == pytest.approx(clipped.tolist(), abs=1e-5)


@pytest.mark.parametrize("size", [16, 1024])
def test_dynamic_on_pictures_that_mislead_a_sub_sample(size: int) -> None:
    """Flat pictures are all ties, stripes can lie on exactly the numbers that a sub-sample sees."""
    flat = torch.full((1, 3, size, size), -1.5)
    stripes = torch.full((3 * size * size,), 0.5)
    stripes[::61] = 3.0
    for x_0 in (flat, stripes.view(1, 3, size, size), 3.5 - stripes.view(1, 3, size, size), torch.zeros_like(flat)):
        for percentile in (90, 99.5):
            done = threshold(x_0, Thresholding("dynamic", percentile))
            assert np.abs(done.x_0.numpy() - paper_dynamic(x_0.numpy().astype(np.float64), percentile)).max() < 1e-6


def test_small_x_0_is_not_stretched() -> None:
    x_0 = random_pictures(1, 16, 0.2)
    done = threshold(x_0, Thresholding("dynamic"))
    assert torch.equal(done.x_0, x_0)
    assert done.s[0] < 1
    assert done.clipped_share == (0.0,)


@pytest.mark.parametrize("kind", ["none", "static", "dynamic"])
def test_images_do_not_influence_each_other_and_the_input_stays(kind: str) -> None:
    x_0 = random_pictures(3, 32, 1.0)
    before = x_0.clone()
    together = threshold(x_0, Thresholding(kind))
    for image in range(3):
        alone = threshold(x_0[image : image + 1], Thresholding(kind))
        assert torch.equal(alone.x_0[0], together.x_0[image])
        assert (alone.s[0], alone.clipped_share[0]) == (together.s[image], together.clipped_share[image])
    assert torch.equal(x_0, before)


def test_static_clips_and_none_does_nothing() -> None:
    x_0 = torch.tensor([-3.0, -1.0, 0.25, 1.5]).view(1, 1, 2, 2)
    static = threshold(x_0, Thresholding("static"))
    assert static.x_0.flatten().tolist() == [-1.0, -1.0, 0.25, 1.0]
    assert (static.s, static.clipped_share) == ((1.0,), (0.5,))
    none = threshold(x_0, Thresholding("none"))
    assert torch.equal(none.x_0, x_0)
    assert (none.s, none.clipped_share) == ((1.0,), (0.0,))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_layout_is_kept(memory_format: torch.memory_format) -> None:
    x_0 = random_pictures(2, 16, 2.0).contiguous(memory_format=memory_format)
    for kind in ("static", "dynamic"):
        assert threshold(x_0, Thresholding(kind)).x_0.is_contiguous(memory_format=memory_format)


def test_unknown_kinds_and_percentiles_are_refused() -> None:
    with pytest.raises(ValueError, match="allowed are none, static, dynamic"):
        Thresholding("dynamc")
    for percentile in (0.0, -1.0, 100.1, float("nan")):
        with pytest.raises(ValueError, match="allowed is above 0 and up to 100"):
            Thresholding("dynamic", percentile)
