"""Noise schedules of the variance-preserving process x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) epsilon."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

NUM_TIMESTEPS = 1000
# What of a diffusers scheduler's configuration makes its noise schedule.
_BETAS = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "rescale_betas_zero_snr")
_TERMINAL_ALPHA_BAR = 2.0**-24  # not 0: sigma = sqrt((1 - alpha_bar) / alpha_bar) must stay finite in float32


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """How much of the picture is left at each timestep t = 0 (clean) ... 999 (noise).

    alphas_cumprod: alpha_bar, float64 (1000,) on the CPU, strictly decreasing inside (0, 1).

    Raises:
        ValueError: alphas_cumprod is anything else.
    """

    name: str
    alphas_cumprod: Tensor

    def __post_init__(self) -> None:
        values = self.alphas_cumprod
        if values.shape != (NUM_TIMESTEPS,) or values.dtype != torch.float64:
            raise ValueError(f"alphas_cumprod is {values.dtype} {tuple(values.shape)}, allowed is float64 (1000,)")
        if not (values[0] < 1 and values[-1] > 0 and bool((values.diff() < 0).all())):
            raise ValueError("alphas_cumprod must decrease strictly inside (0, 1)")

    @property
    def log_snrs(self) -> Tensor:
        """log(alpha_bar / (1 - alpha_bar)) at every timestep, float64 (1000,), decreasing."""
        return torch.logit(self.alphas_cumprod)

    def log_snr(self, t: int) -> float:
        """log(alpha_bar / (1 - alpha_bar)) at timestep t in 0 ... 999."""
        return float(torch.logit(self.alphas_cumprod[t]))

    def alpha_sigma(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """The two factors of x_t = alpha x_0 + sigma epsilon, each float32 (n, 1, 1, 1), for integer t (n,)."""
        alpha_bar = self.alphas_cumprod.to(t.device)[t].view(-1, 1, 1, 1)
        return alpha_bar.sqrt().float(), (1 - alpha_bar).sqrt().float()


def cosine_schedule(*, zero_terminal_snr: bool = True) -> NoiseSchedule:
    """Cosine schedule (arXiv 2102.09672, equation 17, beta capped at 0.999), 1000 timesteps.

    With `zero_terminal_snr` nothing of the picture is left at the last timestep (arXiv 2305.08891, algorithm 1), so
    that pure noise is the right start; without it the schedule is the one that older weights were trained with.
    """

    def signal(share: float) -> float:
        return math.cos((share + 0.008) / 1.008 * math.pi / 2) ** 2

    ratios = [signal((t + 1) / NUM_TIMESTEPS) / signal(t / NUM_TIMESTEPS) for t in range(NUM_TIMESTEPS)]
    alphas_cumprod = torch.tensor(ratios, dtype=torch.float64).clamp(min=0.001).cumprod(0)
    if zero_terminal_snr:
        roots = alphas_cumprod.sqrt()
        roots = (roots - roots[-1]) * (roots[0] / (roots[0] - roots[-1]))  # keeps the first, moves the last to 0
        alphas_cumprod = roots.square()
        alphas_cumprod[-1] = _TERMINAL_ALPHA_BAR
    return NoiseSchedule("cosine", alphas_cumprod)


def linear_schedule() -> NoiseSchedule:
    """Linear schedule (arXiv 2006.11239, section 4: beta from 1e-4 to 0.02), 1000 timesteps.

    As published: at the last timestep 0.6 % of the picture's amplitude is left (log-SNR -10.1).
    """
    betas = torch.linspace(1e-4, 0.02, NUM_TIMESTEPS, dtype=torch.float64)
    return NoiseSchedule("linear", (1 - betas).cumprod(0))


def checkpoint_schedule(config: Mapping[str, object]) -> NoiseSchedule:
    """The noise schedule that a scheduler of diffusers describes in its `scheduler_config.json`.

    Raises:
        ValueError: the schedule has no 1000 timesteps, or leaves nothing of the picture at the last one.
    """
    import diffusers

    betas = {name: value for name, value in config.items() if name in _BETAS and value is not None}
    build: Any = diffusers.DDPMScheduler
    return NoiseSchedule(str(betas.get("beta_schedule", "trained")), build(**betas).alphas_cumprod.double())
