"""Spacings: which of the 1000 timesteps a run steps on."""

from __future__ import annotations

from importlib import import_module

import torch

from imagen_core.noise_schedule import NUM_TIMESTEPS, NoiseSchedule
from imagen_core.stage_recipe import SPACINGS, STEP_LISTS


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
    a name of `STEP_LISTS`: DeepFloyd IF's list of this name, whatever `num_steps` says.

    Raises:
        ValueError: an unknown spacing, or a number of steps outside 1 ... 1000.
    """
    if not 1 <= num_steps <= NUM_TIMESTEPS:
        raise ValueError(f"num_steps is {num_steps!r}, allowed is 1 to {NUM_TIMESTEPS}")
    if spacing in STEP_LISTS:
        lists = import_module("diffusers.pipelines.deepfloyd_if.timesteps")
        return list(getattr(lists, f"{spacing}_timesteps"))
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


def joined(kept: list[int], step: int, timesteps: list[int], noise_schedule: NoiseSchedule) -> list[int]:
    """The first `step` of the `kept` timesteps, the one behind them, and from there on another list, `timesteps`.

    kept[step] stays, because x_t there is as noisy as that. It takes the place of the one of `timesteps` that is
    nearest to it in log-SNR; those behind follow. Distinct and descending like both lists; `step` is below len(kept).
    """
    log_snrs = noise_schedule.log_snrs
    distances = (log_snrs[timesteps] - log_snrs[kept[step]]).abs()  # (n,)
    return kept[: step + 1] + timesteps[int(distances.argmin()) + 1 :]
