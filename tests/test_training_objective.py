"""The training loss against closed forms: networks whose error is known, on data of a single picture."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagen_core.models.conditioning import UNetConditioning
from imagen_core.models.unet_config import UNetConfig
from imagen_core.noise_conditioning import upsample
from imagen_core.noise_schedule import cosine_schedule
from imagen_core.training.config import StageConfig
from imagen_core.training.layout import GRID
from imagen_core.training.objective import Batch, loss, soften, timesteps, weight

SCHEDULE = cosine_schedule()
X_0 = StageConfig("base", 8, 1.0, UNetConfig(2, (32,), (1,), ("none",)), "x_0", snr_cap=6.0, text_drop=0.0)
V = replace(X_0, prediction="v", snr_cap=5.0)
SR = replace(X_0, stage="sr256", unet=replace(X_0.unet, low_res=True))


class Knowing(nn.Module):
    """A network for a data set of one picture: it knows that picture, and is wrong about x_0 by `error`.

    Where the text is masked out it is wrong by 1 more. It keeps the arguments of its last call.
    """

    def __init__(self, picture: Tensor, prediction: str, error: float = 0.0) -> None:
        super().__init__()
        self.picture, self.prediction, self.error = picture, prediction, error
        self.seen: dict[str, Tensor | None] = {}

    def forward(
        self,
        x_t: Tensor,
        t: Tensor,
        given: UNetConditioning,
        record: None = None,
    ) -> Tensor:
        self.seen = {"x_t": x_t, "t": t} | {
            name: getattr(given, name) for name in ("text", "mask", "low_res", "aug_level")
        }
        x_0 = self.picture + self.error + (~given.mask.any(dim=1)).float().view(-1, 1, 1, 1)
        if self.prediction == "x_0":
            return x_0.expand_as(x_t)
        alpha, sigma = SCHEDULE.alpha_sigma(t.long())
        return (alpha * x_t - x_0) / sigma  # v = alpha epsilon - sigma x_0, with epsilon from x_t and x_0


def one_picture(n: int, size: int = 8) -> Batch:
    """The same picture n times, each with three tokens, of which the last does not count."""
    torch.manual_seed(3)
    picture = torch.rand(1, 3, size, size) * 2 - 1
    mask = torch.tensor([[True, True, False]]).expand(n, 3)
    nowhere = torch.zeros(n, GRID, GRID, dtype=torch.uint8)
    return Batch(picture.expand(n, -1, -1, -1), torch.randn(n, 3, 4), mask, nowhere, torch.zeros(n, 3).byte())


def measured(config: StageConfig, network: Knowing, batch: Batch, seed: int = 0) -> float:
    torch.manual_seed(seed)
    return float(loss(network, batch, config, SCHEDULE))  # type: ignore[arg-type]


@pytest.mark.parametrize("config", [X_0, V, SR], ids=["x_0", "v", "sr"])
def test_a_perfect_network_has_no_loss(config: StageConfig) -> None:
    batch = one_picture(64)
    assert measured(config, Knowing(batch.pictures[:1], config.prediction), batch) < 1e-6
    assert measured(config, Knowing(batch.pictures[:1], config.prediction, 0.1), batch) > 0.01


def test_an_x_0_error_weighs_one_plus_snr_up_to_the_cap() -> None:
    """With as many pictures as timesteps every timestep comes exactly once, so the mean is known."""
    batch = one_picture(1000, size=2)
    snr = SCHEDULE.alphas_cumprod / (1 - SCHEDULE.alphas_cumprod)
    expected = 0.25 * float((1 + snr).clamp(max=6.0).mean())
    assert measured(X_0, Knowing(batch.pictures[:1], "x_0", 0.5), batch) == pytest.approx(expected, rel=1e-4)


def test_a_v_error_is_an_x_0_error_with_a_smooth_cap() -> None:
    batch = one_picture(1000, size=2)
    snr = SCHEDULE.alphas_cumprod / (1 - SCHEDULE.alphas_cumprod)
    expected = 0.25 * float(((1 + snr) / (1 + snr / 5.0)).mean())
    assert measured(V, Knowing(batch.pictures[:1], "v", 0.5), batch) == pytest.approx(expected, rel=1e-3)


def test_weights_in_closed_form() -> None:
    log_snr = torch.tensor([-40.0, math.log(0.25), 0.0, math.log(4.0), math.log(100.0)])
    assert weight(log_snr, "x_0", 6.0).tolist() == pytest.approx([1, 1.25, 2, 5, 6])
    assert weight(log_snr, "v", 5.0).tolist() == pytest.approx([1, 1 / 1.05, 1 / 1.2, 1 / 1.8, 1 / 21])


@pytest.mark.parametrize("prediction", ["epsilon", "x0", ""])
def test_a_prediction_that_the_loss_does_not_know_is_refused(prediction: str) -> None:
    with pytest.raises(ValueError, match="allowed is 'v' or 'x_0'"):
        replace(X_0, prediction=prediction)


def test_text_is_dropped_whole_and_as_often_as_configured() -> None:
    """The network is wrong by 1 without text, so at a constant weight of 1 the loss is the share of such pictures."""
    batch = one_picture(4000, size=2)
    network = Knowing(batch.pictures[:1], "x_0")
    for text_drop in (0.0, 0.1, 0.5, 1.0):
        config = replace(X_0, snr_cap=1.0, text_drop=text_drop)
        assert measured(config, network, batch) == pytest.approx(text_drop, abs=3 * 0.5 / math.sqrt(4000))
        masks = {tuple(row) for row in network.seen["mask"].tolist()}
        assert masks <= {(True, True, False), (False, False, False)}
        assert torch.equal(network.seen["text"], batch.states)


def test_timesteps_are_stratified_and_shuffled() -> None:
    batch = one_picture(50)
    network = Knowing(batch.pictures[:1], "x_0")
    drawn = set()
    for seed in range(20):
        measured(X_0, network, batch, seed)
        t = network.seen["t"]
        assert t.sort().values.div(20, rounding_mode="floor").tolist() == list(range(50))  # one in each twenty
        assert abs(float(torch.corrcoef(torch.stack([t, torch.arange(50.0)]))[0, 1])) < 0.6
        drawn |= set(t.tolist())
    assert len(drawn) > 600
    assert min(drawn) < 20
    assert max(drawn) >= 980


@pytest.mark.parametrize("noisy", [1.0, 0.6])
def test_more_timesteps_are_noisy_where_the_power_is_below_one(noisy: float) -> None:
    """Timesteps are 1000 u^noisy, so the share below t is (t / 1000)^(1 / noisy); as they are stratified, exactly."""
    torch.manual_seed(0)
    t = timesteps(2000, noisy)
    assert t.dtype == torch.int64
    assert 0 <= int(t.min()) <= int(t.max()) <= 999
    for below in (100, 500, 900):
        assert float((t < below).float().mean()) == pytest.approx((below / 1000) ** (1 / noisy), abs=1e-3)
    network = Knowing(one_picture(1, size=2).pictures, "x_0")
    measured(replace(X_0, noisy=noisy), network, one_picture(2000, size=2))
    assert float((network.seen["t"] < 500).float().mean()) == pytest.approx(0.5 ** (1 / noisy), abs=1e-3)


def test_x_t_is_the_variance_preserving_mix_of_picture_and_standard_noise() -> None:
    batch = one_picture(200, size=16)
    network = Knowing(batch.pictures[:1], "x_0")
    measured(X_0, network, batch)
    alpha_bar = SCHEDULE.alphas_cumprod[network.seen["t"].long()].view(-1, 1, 1, 1)
    noise = (network.seen["x_t"] - alpha_bar.sqrt() * batch.pictures) / (1 - alpha_bar).sqrt()
    assert float(noise.mean()) == pytest.approx(0, abs=0.02)
    assert float(noise.std()) == pytest.approx(1, abs=0.02)
    assert float((noise[0] * noise[1]).mean()) == pytest.approx(0, abs=0.15)  # each picture has its own
    assert network.seen["low_res"] is None
    assert network.seen["aug_level"] is None


def test_low_res_is_the_reduced_picture_noised_to_its_level_and_enlarged() -> None:
    batch = one_picture(500, size=16)
    network = Knowing(batch.pictures[:1], "x_0")
    measured(SR, network, batch)
    levels = network.seen["aug_level"]
    assert float(levels.min()) < 0.02
    assert float(levels.max()) > 0.98
    assert float(levels.mean()) == pytest.approx(0.5, abs=0.05)
    small = F.avg_pool2d(batch.pictures, 4)  # (500, 3, 4, 4)
    angle = (levels * math.pi / 2).view(-1, 1, 1, 1)
    # Enlargement is linear, so what is left after the picture's share is enlarged noise.
    noise = (network.seen["low_res"] - angle.cos() * upsample(small, 16)) / angle.sin()
    torch.manual_seed(0)
    reference = upsample(torch.randn(500, 3, 4, 4), 16)
    assert float(noise.mean()) == pytest.approx(0, abs=0.03)
    assert float(noise.std()) == pytest.approx(float(reference.std()), rel=0.03)


def test_a_share_of_the_low_resolution_pictures_is_clean() -> None:
    batch = one_picture(500, size=16)
    network = Knowing(batch.pictures[:1], "x_0")
    measured(replace(SR, clean=0.4), network, batch)
    clean = network.seen["aug_level"] == 0
    assert float(clean.float().mean()) == pytest.approx(0.4, abs=0.07)
    small = F.avg_pool2d(batch.pictures, 4)
    torch.testing.assert_close(network.seen["low_res"][clean], upsample(small, 16)[clean])
    assert float(network.seen["aug_level"].max()) > 0.98


def test_an_error_counts_in_units_of_what_the_low_resolution_picture_leaves_open() -> None:
    """A clean one leaves `residual` open, so an error e costs (e / residual)^2, and SNR is that of the residual."""
    batch = one_picture(1000, size=4)
    snr = SCHEDULE.alphas_cumprod / (1 - SCHEDULE.alphas_cumprod)
    for residual in (0.05, 0.5):
        config = replace(SR, clean=1.0, unet=replace(SR.unet, residual=residual))
        expected = (0.01 / residual) ** 2 * float((1 + residual**2 * snr).clamp(max=6.0).mean())
        assert measured(config, Knowing(batch.pictures[:1], "x_0", 0.01), batch) == pytest.approx(expected, rel=1e-3)


def test_softening_widens_a_point_by_its_variance_and_keeps_its_sum() -> None:
    point = torch.zeros(4, 3, 15, 15)
    point[:, :, 7, 7] = 1
    sigma = torch.tensor([0.0, 0.4, 0.6, 0.8])
    soft = soften(point, sigma)
    torch.testing.assert_close(soft[0], point[0])
    torch.testing.assert_close(soft.sum(dim=(2, 3)), torch.ones(4, 3))
    place = torch.arange(15.0) - 7
    for dim in (2, 3):
        variance = (soft.sum(dim=5 - dim) * place.square()).sum(dim=2)  # (4, 3)
        one, two = (torch.exp(-(step**2) / (2 * sigma[1:].square())) for step in (1, 2))
        expected = (2 * one + 8 * two) / (1 + 2 * one + 2 * two)  # of a Gaussian sampled at -2 ... 2
        torch.testing.assert_close(variance[1:], expected[:, None].expand(3, 3))
    flat = torch.full((1, 3, 4, 4), 0.5)
    torch.testing.assert_close(soften(flat, torch.ones(1)), flat)


def test_low_resolution_pictures_are_softened_as_configured() -> None:
    batch = one_picture(200, size=32)
    network = Knowing(batch.pictures[:1], "x_0")
    measured(replace(SR, clean=1.0), network, batch)
    sharp = network.seen["low_res"].std(dim=(1, 2, 3))
    measured(replace(SR, clean=1.0, soften=0.8), network, batch)
    soft = network.seen["low_res"].std(dim=(1, 2, 3))
    assert float((soft / sharp).max()) > 0.99  # some hardly
    assert float((soft / sharp).min()) < 0.75  # some much
    assert bool((soft <= sharp + 1e-6).all())


def test_torchs_seed_decides_everything() -> None:
    batch = one_picture(8)
    network = Knowing(batch.pictures[:1], "x_0", 0.3)
    assert measured(SR, network, batch, seed=5) == measured(SR, network, batch, seed=5)
    assert measured(SR, network, batch, seed=5) != measured(SR, network, batch, seed=6)
