"""The Fréchet distance against its closed form."""

from __future__ import annotations

import pytest
import torch

from imagen_core.training.fid import distance


def gaussian(mean: torch.Tensor, root: torch.Tensor, count: int) -> torch.Tensor:
    """`count` samples whose mean and covariance are exactly `mean` and root^T root."""
    noise = torch.randn(count, len(mean), dtype=torch.float64, generator=torch.Generator().manual_seed(count))
    noise -= noise.mean(dim=0)
    whitened = noise @ torch.linalg.inv(torch.linalg.cholesky(noise.t() @ noise / (count - 1)).t())
    return whitened @ root + mean


def test_the_distance_of_two_gaussians_is_the_formulas() -> None:
    """Diagonal covariances: |m - m'|^2 + sum of (s - s')^2, s being standard deviations."""
    first_mean, second_mean = torch.tensor([1.0, 2.0, 3.0]).double(), torch.tensor([0.0, 2.5, 1.0]).double()
    first, second = torch.tensor([1.0, 0.5, 2.0]).double(), torch.tensor([3.0, 0.5, 0.1]).double()
    expected = float((first_mean - second_mean).square().sum() + (first - second).square().sum())
    sets = gaussian(first_mean, torch.diag(first), 40), gaussian(second_mean, torch.diag(second), 55)
    assert distance(*sets) == pytest.approx(expected, rel=1e-9)
    assert distance(sets[1], sets[0]) == pytest.approx(expected, rel=1e-9)


def test_covariances_that_do_not_commute_take_a_true_matrix_root() -> None:
    a = torch.tensor([[2.0, 0.3], [0.0, 1.0]]).double()
    b = torch.tensor([[0.5, -0.8], [0.0, 1.5]]).double()
    zero = torch.zeros(2).double()
    product = (a.t() @ a) @ (b.t() @ b)
    root = torch.linalg.eigvals(product).real.sqrt().sum()  # tr (C C')^(1/2)
    expected = float((a.t() @ a).trace() + (b.t() @ b).trace() - 2 * root)
    assert expected > 0.1
    assert distance(gaussian(zero, a, 30), gaussian(zero, b, 31)) == pytest.approx(expected, rel=1e-9)


def test_a_set_is_at_no_distance_from_itself_even_with_fewer_pictures_than_features() -> None:
    features = torch.randn(10, 64, generator=torch.Generator().manual_seed(0))
    assert distance(features, features) == pytest.approx(0, abs=1e-9)
    assert distance(features, features.flip(0)) == pytest.approx(0, abs=1e-9)
