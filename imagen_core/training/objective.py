"""The training loss: predict x_0 from x_t, the text and the noised low-resolution picture.

Timesteps are stratified over the batch. Whatever the network predicts, its error counts as an error of x_0 with the
weight min(1 + SNR, snr_cap); for v-prediction, whose error is (1 + SNR) times that of x_0, this is a smooth cap on
v's own weight: the noisy timesteps, which decide what is where, keep theirs in full. Where a low-resolution picture
tells most of x_0, error and SNR count in units of what it leaves open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from imagen_core.models.attention_record import AttentionRecord
from imagen_core.models.conditioning import UNetConditioning
from imagen_core.models.unet import UNet, spread
from imagen_core.noise_conditioning import augment, upsample
from imagen_core.noise_schedule import NUM_TIMESTEPS, NoiseSchedule
from imagen_core.training.config import StageConfig
from imagen_core.training.grounding import misplaced
from imagen_core.training.restyling import FROM


@dataclass(frozen=True)
class Batch:
    """Pictures (n, 3, h, w) in [-1, 1] with their T5 states (n, l, width) and mask (n, l).

    layouts (n, GRID, GRID) and groups (n, l) say which thing a place shows and a token speaks of; see `layout`.
    others (n, 3, h / 4, w / 4) are the same scenes as other words would have them; see `restyling`.
    """

    pictures: Tensor
    states: Tensor
    mask: Tensor
    layouts: Tensor
    groups: Tensor
    others: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        held = {name: value.to(device) for name, value in vars(self).items() if value is not None}
        return replace(self, **held)


def weight(log_snr: Tensor, prediction: str, snr_cap: float) -> Tensor:
    """Weight of the squared error of the network's prediction, from log-SNR (n,): (n,)."""
    snr = log_snr.exp()
    if prediction == "x_0":
        return (1 + snr).clamp(max=snr_cap)
    return (1 + snr / snr_cap).reciprocal()  # v: the x_0 error then weighs (1 + SNR) / (1 + SNR / cap)


def soften(pictures: Tensor, sigma: Tensor) -> Tensor:
    """Blur pictures (n, 3, h, w), each with its own Gaussian of sigma (n,) pixels, 0 to 1; borders are repeated.

    Pictures of an earlier stage are softer than real ones; a stage trained on these alone would keep what is soft.
    """
    reach = torch.arange(-2, 3, device=pictures.device)
    kernel = torch.exp(-reach.square() / (2 * sigma.clamp(min=1e-3).square())[:, None])  # (n, 5)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(3, dim=0)  # (3 n, 5)
    n, channels, height, width = pictures.shape
    planes = F.pad(pictures.reshape(1, n * channels, height, width), (2, 2, 2, 2), mode="replicate")
    planes = F.conv2d(planes, kernel[:, None, :, None], groups=n * channels)
    return F.conv2d(planes, kernel[:, None, None, :], groups=n * channels).reshape(pictures.shape)


def timesteps(n: int, noisy: float) -> Tensor:
    """So many timesteps in 0 ... 999, stratified, in random order."""
    evenly = (torch.randperm(n) + torch.rand(n)) / n  # one in each n-th of [0, 1)
    return (evenly**noisy * NUM_TIMESTEPS).long().clamp(max=NUM_TIMESTEPS - 1)


def loss(
    unet: UNet,
    batch: Batch,
    config: StageConfig,
    noise_schedule: NoiseSchedule,
    dtype: torch.dtype = torch.bfloat16,
) -> Tensor:
    """Mean weighted squared error of one batch; draws timesteps, noise, aug_level and text drop from torch's state.

    dtype: of the network's products; its weights and the loss are float32 in any case.
    """
    x_0 = batch.pictures
    n = x_0.shape[0]
    t = timesteps(n, config.noisy)
    epsilon = torch.randn(x_0.shape).to(x_0)
    alpha, sigma = noise_schedule.alpha_sigma(t.to(x_0.device))
    x_t = alpha * x_0 + sigma * epsilon
    mask = batch.mask & (torch.rand(n, 1) >= config.text_drop).to(x_0.device)
    low_res = aug_level = None
    open_part = torch.ones(n).to(x_0)  # (n,), root mean square of what is to be found
    if config.unet.low_res:
        aug_level = (torch.rand(n) * (torch.rand(n) >= config.clean)).to(x_0.device)
        small = F.avg_pool2d(x_0, 4)
        if batch.others is not None:
            other = (torch.rand(n) < config.restyled).to(x_0.device) & (aug_level > FROM)
            small = torch.where(other[:, None, None, None], batch.others, small)
        small = soften(small, torch.rand(n).to(x_0) * config.soften)
        low_res = upsample(augment(small, aug_level, torch.randn(small.shape).to(x_0)), x_0.shape[2])
        open_part = spread(aug_level, config.unet.residual)
    target = x_0 if config.prediction == "x_0" else alpha * epsilon - sigma * x_0
    record = AttentionRecord(n) if config.grounding else None
    given = UNetConditioning(batch.states, mask, low_res, aug_level)
    with torch.autocast(x_0.device.type, dtype=dtype, enabled=dtype != torch.float32):
        predicted = unet(x_t, t.float().to(x_0.device), given, record=record)
    error = (predicted.float() - target).square().mean(dim=(1, 2, 3))
    log_snr = noise_schedule.log_snrs[t].float().to(x_0.device) + 2 * open_part.log()
    mean: Tensor = (error * weight(log_snr, config.prediction, config.snr_cap) / open_part.square()).mean()
    if record is not None:
        mean = mean + config.grounding * misplaced(record, batch.layouts, batch.groups * mask)
    return mean
