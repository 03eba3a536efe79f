"""A "U-Net" that is exactly right, for data known in closed form.

Every number of a picture is an independent draw from one of a few normal distributions, of equal weight. Text picks one
of them, masked text leaves them all. The best prediction of x_0 from x_t is then a formula, so that what a sampler
makes of it can be held against the truth.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from imagen_core.conditioning import Conditioning
from imagen_core.denoiser import Prediction
from imagen_core.models.attention_record import AttentionRecord
from imagen_core.models.conditioning import UNetConditioning
from imagen_core.noise_schedule import NoiseSchedule

MEANS = (-0.6, 0.2)
DEVIATIONS = (0.15, 0.3)
MIXTURE_MEAN = sum(MEANS) / 2
MIXTURE_DEVIATION = (sum(d**2 + (m - MIXTURE_MEAN) ** 2 for m, d in zip(MEANS, DEVIATIONS, strict=True)) / 2) ** 0.5


class ExactUnet(nn.Module):
    """Predicts epsilon, v or x_0 without error; text (n, l, 1) holds the index of a distribution in its first token."""

    def __init__(self, noise_schedule: NoiseSchedule, prediction: Prediction) -> None:
        super().__init__()
        self.noise_schedule = noise_schedule
        self.prediction = prediction
        self.batch_sizes: list[int] = []

    def forward(
        self,
        x_t: Tensor,
        t: Tensor,
        given: UNetConditioning,
        between_blocks: Callable[[], None] | None = None,
        record: AttentionRecord | None = None,
    ) -> Tensor:
        self.batch_sizes.append(len(x_t))
        if between_blocks is not None:
            between_blocks()
        alpha_bar = self.noise_schedule.alphas_cumprod[t.long()].view(-1, 1, 1, 1)
        alpha, sigma = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
        chosen = torch.stack(
            [~given.mask[:, 0] | (given.text[:, 0, 0] == index) for index in range(len(MEANS))]
        )  # (k, n)
        x_0 = posterior_mean(x_t.double(), alpha, sigma, chosen)
        epsilon = (x_t - alpha * x_0) / sigma
        outputs = {"x_0": x_0, "epsilon": epsilon, "v": alpha * epsilon - sigma * x_0}
        return outputs[self.prediction].float()


def posterior_mean(x_t: Tensor, alpha: Tensor, sigma: Tensor, chosen: Tensor) -> Tensor:
    """E[x_0 | x_t] number by number; chosen (k, n) tells which of the distributions are possible."""
    log_weights, means = [], []
    for possible, mean, deviation in zip(chosen, MEANS, DEVIATIONS, strict=True):
        variance = alpha**2 * deviation**2 + sigma**2  # of x_t, were x_0 of this distribution
        distance = x_t - alpha * mean
        log_weight = -(distance**2) / (2 * variance) - variance.log() / 2
        log_weights.append(log_weight.masked_fill(~possible.view(-1, 1, 1, 1), -torch.inf))
        means.append(mean + alpha * deviation**2 / variance * distance)
    return (torch.stack(log_weights).softmax(dim=0) * torch.stack(means)).sum(dim=0)


def conditioning(*distributions: int | None) -> Conditioning:
    """One image for each: the index of its distribution, None for all of them."""
    text = torch.tensor([[[float(index or 0)]] for index in distributions])  # (n, 1, 1)
    mask = torch.tensor([[index is not None] for index in distributions])  # (n, 1)
    return Conditioning(text, mask)
