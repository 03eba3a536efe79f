"""Classifier-free guidance (section 2.2 of arXiv 2205.11487, equation 2).

The paper guides epsilon: w epsilon(x_t, text) + (1 - w) epsilon(x_t). Here the same is done to x_0. At one timestep
x_0 = (x_t - sigma epsilon) / alpha is affine in epsilon, with the same x_t, alpha and sigma for both predictions, and
the two weights add up to one: guiding x_0 and guiding epsilon are the same step, and for v likewise.
"""

from __future__ import annotations

import torch
from torch import Tensor


def guide(conditional: Tensor, unconditional: Tensor, guidance_scale: float) -> Tensor:
    """Guided x_0, unconditional + guidance_scale (conditional - unconditional), (n, 3, h, w) like its inputs.

    `guidance_scale` 1 gives exactly the conditional prediction, 0 exactly the unconditional one.
    """
    return torch.lerp(unconditional, conditional, guidance_scale)


def guide_epsilon(conditional: Tensor, unconditional: Tensor, guidance_scale: float) -> Tensor:
    """Guided epsilon, (n, 3, h, w) like its inputs; exactly the conditional one at `guidance_scale` 1 but for rounding.

    Where a network predicts epsilon and alpha is 5e-5, as at the noisy end of DeepFloyd IF's schedule, x_0 has lost
    four digits: there epsilon is guided, and the order of these operations is part of the result.
    """
    return unconditional + guidance_scale * (conditional - unconditional)


def is_guided(step: int, num_steps: int, interval: tuple[float, float]) -> bool:
    """Whether step 0 ... num_steps - 1 lies in the guidance interval (arXiv 2404.07724).

    `interval` is (start, end) as fractions of the steps in [0, 1]: step i of n is guided when start <= i / n < end.
    """
    start, end = interval
    return start <= step / num_steps < end
