"""Noise schedules, spacings of timesteps and schedulers, all of the variance-preserving process.

x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) epsilon, with t = 0 (clean) ... 999 (noise).

Every scheduler is the one of diffusers and takes x_0. It is built on the noise schedule *restricted to the timesteps of
the run*: step number i of n goes from its timestep n - 1 - i to n - 2 - i. So one list of timesteps serves all of them,
also DDIM, UniPC and DEIS, which accept no list of their own. Diffusers is imported when the first one is built.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Generator, Tensor

from imagen_core.stage_recipe import SPACINGS

NUM_TIMESTEPS = 1000
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


def spaced_timesteps(spacing: str, num_steps: int, noise_schedule: NoiseSchedule) -> list[int]:
    """Distinct timesteps, descending; every spacing begins at 999, where x_T is noise alone.

    "trailing": even steps counted from the noisy end, 999, 999 - 1000/n, ... (arXiv 2305.08891, table 2).
    "leading": even steps counted from the clean end, n ... 2, 1 times 1000 / (n + 1), the noisiest moved to 999. As
        published (same table) it would begin where part of the picture must still be visible: the known flaw.
    "linspace": even steps from 999 to 0 without the one at 0. There x_0 is x_t but for one part in 150, and the long
        way in log-SNR to it makes multistep solvers overshoot.
    "logsnr": even steps in log-SNR from -10 to 7, the noisiest moved to 999. Below 8 steps the last one comes before 7,
        because the way from there to x_0 is a step too. With these numbers an exact denoiser of normally distributed
        pictures gets variances from 0.03 (finest detail) to 300 (mean colour) right in the fewest steps. Where several
        round to the same timestep there are fewer than `num_steps`.

    Raises:
        ValueError: an unknown spacing, or a number of steps outside 1 ... 1000.
    """
    if not 1 <= num_steps <= NUM_TIMESTEPS:
        raise ValueError(f"num_steps is {num_steps!r}, allowed is 1 to {NUM_TIMESTEPS}")
    steps = range(num_steps)
    match spacing:
        case "trailing":
            timesteps = [round(NUM_TIMESTEPS * (1 - step / num_steps)) - 1 for step in steps]
        case "leading":
            timesteps = [round(NUM_TIMESTEPS * (num_steps - step) / (num_steps + 1)) for step in steps]
        case "linspace":
            timesteps = [round((NUM_TIMESTEPS - 1) * (1 - step / num_steps)) for step in steps]
        case "logsnr":
            stride = min(17 / max(num_steps - 1, 1), 21 / (num_steps + 0.5))
            wanted = torch.arange(num_steps, dtype=torch.float64) * stride - 10  # (num_steps,)
            distances = (noise_schedule.log_snrs - wanted[:, None]).abs()  # (num_steps, 1000)
            timesteps = distances.argmin(dim=1).tolist()
        case _:
            raise ValueError(f"spacing is {spacing!r}, allowed are {', '.join(SPACINGS)}")
    return sorted({NUM_TIMESTEPS - 1, *timesteps[1:]}, reverse=True)


@dataclass(frozen=True)
class _Diffusers:
    """A class of diffusers with what differs from its defaults; `stochastic`: each step adds noise."""

    name: str
    config: Mapping[str, object]
    stochastic: bool = False


_SCHEDULERS: Mapping[str, _Diffusers] = MappingProxyType(
    {
        "ddpm": _Diffusers("DDPMScheduler", {"clip_sample": False}, stochastic=True),
        "ddim": _Diffusers("DDIMScheduler", {"clip_sample": False}),
        "dpmsolver++": _Diffusers("DPMSolverMultistepScheduler", {}),
        "dpmsolver++sde": _Diffusers(
            "DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}, stochastic=True
        ),
        "unipc": _Diffusers("UniPCMultistepScheduler", {}),
        "deis": _Diffusers("DEISMultistepScheduler", {}),
        "euler": _Diffusers("EulerDiscreteScheduler", {}),
    }
)


class Scheduler:
    """One run of a scheduler: stateful, for `step` number 0, 1, ... in this order. Make one with `build_scheduler`.

    Its samples are in the scheduler's own coordinates: `x_T` and `to_x_t` lead there and back.
    """

    timesteps: list[int]

    def __init__(self, name: str, timesteps: list[int], noise_schedule: NoiseSchedule) -> None:
        import diffusers

        entry = _SCHEDULERS[name]
        num_steps = len(timesteps)
        alphas_cumprod = noise_schedule.alphas_cumprod[timesteps[::-1]]  # (n,), descending
        scheduler = getattr(diffusers, entry.name)(
            num_train_timesteps=num_steps,
            trained_betas=[0.5] * num_steps,
            prediction_type="sample",
            **entry.config,
        )
        # What set_timesteps() would compute, in double precision: single precision betas would put the noisy end off by
        # several per cent. Numbers that are 0-dimensional tensors leave the pictures in single precision.
        scheduler.num_inference_steps = num_steps
        scheduler.timesteps = torch.arange(num_steps - 1, -1, -1)
        scheduler.alphas_cumprod = alphas_cumprod
        sigmas = ((1 - alphas_cumprod) / alphas_cumprod).sqrt().flip(0)  # (n,), descending
        if hasattr(scheduler, "sigmas"):
            scheduler.timesteps = scheduler.timesteps.float()
            scheduler.sigmas = torch.cat([sigmas, sigmas.new_zeros(1)])
            scheduler.set_begin_index(0)
        self.timesteps = timesteps
        self._scheduler: Any = scheduler
        self._stochastic = entry.stochastic
        # DEIS calls NumPy functions on tensors, and NumPy warns torch of a change to come.
        self._quiet = _without_numpy_warning if name == "deis" else nullcontext
        # Euler alone works on x_t / alpha_t = x_0 + sigma epsilon.
        self._scales: list[float] | None = None
        if name == "euler":
            scheduler.is_scale_input_called = True
            self._scales = (sigmas.square() + 1).sqrt().tolist()

    def x_T(self, noise: Tensor) -> Tensor:
        """The first sample, made of standard normal noise (n, 3, h, w)."""
        return noise * self._scales[0] if self._scales else noise

    def to_x_t(self, sample: Tensor, step: int) -> Tensor:
        """The variance-preserving x_t that a denoiser takes at step 0 ... n - 1, (n, 3, h, w) like the sample."""
        return sample / self._scales[step] if self._scales else sample

    def step(self, step: int, x_0: Tensor, sample: Tensor, generators: list[Generator]) -> Tensor:
        """The sample of the next step, (n, 3, h, w); behind the last step it is x_0 itself.

        Args:
            step: 0 ... n - 1, one more than at the call before.
            x_0: the denoiser's estimate at this step.
            sample: what the call before returned, at step 0 `x_T`.
            generators: one per image, for this step only; used by the stochastic schedulers.
        """
        if step == len(self.timesteps) - 1:
            return x_0
        options = {"generator": generators} if self._stochastic else {}
        timestep = self._scheduler.timesteps[step]
        with self._quiet():
            following: Tensor = self._scheduler.step(x_0, timestep, sample, return_dict=False, **options)[0]
        return following


@contextmanager
def _without_numpy_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array_wrap__", DeprecationWarning)
        yield


def build_scheduler(name: str, spacing: str, num_steps: int, noise_schedule: NoiseSchedule) -> Scheduler:
    """A scheduler for one run; its `timesteps` tell how many steps there really are.

    Raises:
        ValueError: an unknown name or spacing, or a number of steps outside 1 ... 1000.
    """
    if name not in _SCHEDULERS:
        raise ValueError(f"scheduler is {name!r}, allowed are {', '.join(_SCHEDULERS)}")
    return Scheduler(name, spaced_timesteps(spacing, num_steps, noise_schedule), noise_schedule)
