"""Guidance against the paper's formula in epsilon."""

from __future__ import annotations

import pytest
import torch

from imagen_core.guidance import guide, is_guided


def pictures(seed: int) -> torch.Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_off_and_unconditional_are_exact() -> None:
    conditional, unconditional = pictures(0).float(), pictures(1).float()
    assert torch.equal(guide(conditional, unconditional, 1.0), conditional)
    assert torch.equal(guide(conditional, unconditional, 0.0), unconditional)


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 4.0, 30.0])
@pytest.mark.parametrize("alpha_bar", [0.001, 0.5, 0.999])
def test_guiding_x_0_is_guiding_epsilon(scale: float, alpha_bar: float) -> None:
    """Equation 2 of arXiv 2205.11487: w epsilon(x_t, text) + (1 - w) epsilon(x_t)."""
    x_t, alpha, sigma = pictures(2), alpha_bar**0.5, (1 - alpha_bar) ** 0.5
    conditional, unconditional = pictures(0), pictures(1)
    epsilons = [(x_t - alpha * x_0) / sigma for x_0 in (conditional, unconditional)]
    guided = scale * epsilons[0] + (1 - scale) * epsilons[1]
    expected = (x_t - sigma * guided) / alpha
    assert torch.allclose(guide(conditional, unconditional, scale), expected, rtol=1e-9, atol=1e-9)


def test_interval_is_half_open() -> None:
    def guided(start: float, end: float) -> list[int]:
        return [step for step in range(8) if is_guided(step, 8, (start, end))]

    assert guided(0, 1) == list(range(8))
    assert guided(0.25, 0.75) == [2, 3, 4, 5]
    assert guided(0.26, 1) == [3, 4, 5, 6, 7]
    assert guided(0.5, 0.5) == []
    assert guided(1, 1) == []
    assert is_guided(0, 1, (0, 1))
