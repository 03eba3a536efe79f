"""Schedulers: from x_t and an estimate of x_0 to the next x_t.

Every scheduler is the one of diffusers and takes x_0. It is built on the noise schedule *restricted to the timesteps of
the run*: step number i of n goes from its timestep n - 1 - i to n - 2 - i. So one list of timesteps serves all of them,
also DDIM, UniPC and DEIS, which accept no list of their own. Diffusers is imported when the first one is built.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Generator, Tensor

from imagen_core.noise_schedule import NoiseSchedule
from imagen_core.solver_state import SolverState
from imagen_core.spacings import spaced_timesteps


@dataclass(frozen=True)
class _Diffusers:
    """A class of diffusers with what differs from its defaults; `stochastic`: each step adds noise."""

    name: str
    config: Mapping[str, object]
    stochastic: bool = False


_LOCK = threading.Lock()  # for what is the whole program's: diffusers' imports, the filters of warnings

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

# What diffusers' multistep schedulers remember of the steps done.
_HISTORY = ("model_outputs", "timestep_list", "lower_order_nums", "this_order", "last_sample")


class Scheduler:
    """One run of a scheduler: stateful, for `step` number 0, 1, ... in this order. Make one with `build_scheduler`.

    `resumed` is the state that it goes on from, None where it begins with noise.

    Its samples are in the scheduler's own coordinates: `x_T` and `to_x_t` lead there and back.
    """

    timesteps: list[int]
    resumed: SolverState | None = None

    def __init__(
        self, name: str, timesteps: list[int], noise_schedule: NoiseSchedule, learned_variance: bool = False
    ) -> None:
        entry = _SCHEDULERS[name]
        self._learned = learned_variance and name == "ddpm"
        variance = {"variance_type": "learned_range"} if self._learned else {}
        num_steps = len(timesteps)
        alphas_cumprod = noise_schedule.alphas_cumprod[timesteps[::-1]]  # (n,), descending
        with _LOCK:  # diffusers and its classes are imported when first asked for; two threads at once get a part
            import diffusers

            scheduler_class = getattr(diffusers, entry.name)
        scheduler = scheduler_class(
            num_train_timesteps=num_steps,
            trained_betas=[0.5] * num_steps,
            prediction_type="sample",
            **entry.config,
            **variance,
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

    def resume(self, state: SolverState, restored: bool) -> None:
        """Go on behind `state.step` steps that a scheduler with the same first timesteps has done, before any step.

        restored: with what that one, which must be of the same name, remembers of them; else with nothing, so that a
            multistep solver's next step is one of first order.
        """
        scale = self._scale(state.step)
        sample = state.sample if scale == state.scale else state.sample * (scale / state.scale)
        self.resumed = replace(state, sample=sample, scale=scale)
        if hasattr(self._scheduler, "sigmas"):
            self._scheduler.set_begin_index(state.step)
        if restored:
            for name, value in state.history.items():
                setattr(self._scheduler, name, list(value) if isinstance(value, tuple) else value)

    def state(self, step: int, sample: Tensor, x_0: Tensor) -> SolverState | None:
        """The state behind step 0 ... n - 1, which gave `sample` with the estimate `x_0`; None behind the last one."""
        if step == len(self.timesteps) - 1:
            return None
        known = {name: value for name, value in vars(self._scheduler).items() if name in _HISTORY}
        history = {name: tuple(value) if isinstance(value, list) else value for name, value in known.items()}
        return SolverState(step + 1, sample, self._scale(step + 1), x_0, MappingProxyType(history))

    def _scale(self, step: int) -> float:
        return self._scales[step] if self._scales else 1.0

    def to_x_t(self, sample: Tensor, step: int) -> Tensor:
        """The variance-preserving x_t that a denoiser takes at step 0 ... n - 1, (n, 3, h, w) like the sample."""
        return sample / self._scales[step] if self._scales else sample

    def step(
        self, step: int, x_0: Tensor, sample: Tensor, generators: list[Generator], variance: Tensor | None = None
    ) -> Tensor:
        """The sample of the next step, (n, 3, h, w); behind the last step it is x_0 itself.

        Args:
            step: 0 ... n - 1, one more than at the call before.
            x_0: the denoiser's estimate at this step.
            sample: what the call before returned, at step 0 `x_T`.
            generators: one per image, for this step only; used by the stochastic schedulers.
            variance: what the U-Net learned of it, shaped like x_0, -1 for the smallest possible and 1 for the largest
                (arXiv 2102.09672, equation 15); only "ddpm" built with `learned_variance` uses it.
        """
        if step == len(self.timesteps) - 1:
            return x_0
        options = {"generator": generators} if self._stochastic else {}
        timestep = self._scheduler.timesteps[step]
        if self._learned:
            if variance is None:
                raise ValueError("this scheduler was built with learned_variance and needs the variance")
            x_0 = torch.cat([x_0, variance], dim=1)  # (n, 6, h, w)
        with self._quiet():
            following: Tensor = self._scheduler.step(x_0, timestep, sample, return_dict=False, **options)[0]
        return following


@contextmanager
def _without_numpy_warning() -> Iterator[None]:
    with _LOCK, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array_wrap__", DeprecationWarning)
        yield


def build_scheduler(
    name: str, spacing: str, num_steps: int, noise_schedule: NoiseSchedule, learned_variance: bool = False
) -> Scheduler:
    """A scheduler for one run; its `timesteps` tell how many steps there really are.

    learned_variance: the U-Net predicts the variance of each step, which "ddpm" then draws with.

    Raises:
        ValueError: an unknown name or spacing, or a number of steps outside 1 ... 1000.
    """
    if name not in _SCHEDULERS:
        raise ValueError(f"scheduler is {name!r}, allowed are {', '.join(_SCHEDULERS)}")
    timesteps = spaced_timesteps(spacing, num_steps, noise_schedule)
    return Scheduler(name, timesteps, noise_schedule, learned_variance)
