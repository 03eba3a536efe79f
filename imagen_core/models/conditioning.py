"""What a U-Net is told in one call beside x_t and t."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class UNetConditioning:
    """For n images, on the U-Net's device.

    text: T5 token states (n, l, t5_width). mask: bool (n, l), True where a token counts; all False is unconditional.
    log_weights: (n, l), added to the logits of the attention to the tokens; -inf takes a token out, None adds nothing.
    low_res: (n, 3, h, w) in x_t's size, already noised to aug_level (n,) in [0, 1]; for super-resolution stages only.
    """

    text: Tensor
    mask: Tensor
    low_res: Tensor | None = None
    aug_level: Tensor | None = None
    log_weights: Tensor | None = None

    @property
    def counted(self) -> Tensor:
        """The mask without the tokens of weight 0."""
        return self.mask if self.log_weights is None else self.mask & (self.log_weights > -torch.inf)

    def finite_log_weights(self, dtype: torch.dtype) -> Tensor | None:
        """The log_weights in a number format, at least -10,000, which takes a token out as well.

        Its exponential is 0 in every format; and were all tokens of weight 0, their softmax would still be one.
        """
        return None if self.log_weights is None else self.log_weights.to(dtype).clamp(min=-1e4)

    def low_res_and_level(self, wanted: bool) -> tuple[Tensor, Tensor] | None:
        """low_res and aug_level for a network that enlarges a picture (`wanted`), None for one that does not.

        Raises:
            ValueError: a super-resolution stage is given no low_res or aug_level, or another stage is given one.
        """
        if wanted:
            if self.low_res is None or self.aug_level is None:
                raise ValueError("a super-resolution U-Net needs low_res and aug_level.")
            return self.low_res, self.aug_level
        if self.low_res is not None or self.aug_level is not None:
            raise ValueError("only a super-resolution U-Net takes low_res and aug_level.")
        return None
