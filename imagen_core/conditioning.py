"""What the pictures of a stage are drawn from beside the noise: text, negative text, and the stage before."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from imagen_core.word_tokens import PromptStates


@dataclass(frozen=True)
class Conditioning:
    """What the U-Net knows beside x_t, for n images.

    text, mask: token states (n, l, width) of the frozen T5, and which of them count, bool (n, l).
    negative_text, negative_mask: the same of a negative prompt, which then takes the place of "no text" in guidance.
    log_weights, negative_log_weights: (n, l), see `UNetConditioning`; each acts on its own text's branch of guidance.
    low_res: the stage before, (n, 3, h, w) at this stage's size and already noised to aug_level; None in the base.
    """

    text: Tensor
    mask: Tensor
    negative_text: Tensor | None = None
    negative_mask: Tensor | None = None
    low_res: Tensor | None = None
    aug_level: float = 0.0
    log_weights: Tensor | None = None
    negative_log_weights: Tensor | None = None

    def images(self, part: slice) -> Conditioning:
        """The conditioning of some of the images."""
        text, mask, *others = (
            None if value is None else value[part]
            for value in (
                self.text,
                self.mask,
                self.negative_text,
                self.negative_mask,
                self.low_res,
                self.log_weights,
                self.negative_log_weights,
            )
        )
        assert text is not None
        assert mask is not None
        negative_text, negative_mask, low_res, *log_weights = others
        return Conditioning(text, mask, negative_text, negative_mask, low_res, self.aug_level, *log_weights)

    def with_unconditional(self) -> Conditioning:
        """Twice as many images: these, then the same with the negative prompt, or with all tokens masked."""
        text, mask = self.negative_text, self.negative_mask
        if text is None or mask is None:
            text, mask = self.text, torch.zeros_like(self.mask)
        length = max(text.shape[1], self.text.shape[1])
        low_res = None if self.low_res is None else torch.cat([self.low_res, self.low_res])
        return Conditioning(
            text=torch.cat([padded(self.text, length), padded(text, length)]),
            mask=torch.cat([padded(self.mask, length), padded(mask, length)]),
            low_res=low_res,
            aug_level=self.aug_level,
            log_weights=self._both_log_weights(length),
        )

    def _both_log_weights(self, length: int) -> Tensor | None:
        if self.log_weights is None and self.negative_log_weights is None:
            return None
        none = torch.zeros(len(self.text), length, device=self.text.device)
        both = (
            none if each is None else padded(each, length) for each in (self.log_weights, self.negative_log_weights)
        )
        return torch.cat(list(both))  # (2 n, length)


def conditioning(
    text: PromptStates, negative: PromptStates | None, low_res: Tensor | None, aug_level: float
) -> Conditioning:
    """The conditioning of images from prompts that were encoded; see `Conditioning`."""
    known = (text.states, text.mask)
    if negative is None:
        return Conditioning(*known, low_res=low_res, aug_level=aug_level, log_weights=text.log_weights)
    weights = (text.log_weights, negative.log_weights)
    return Conditioning(*known, negative.states, negative.mask, low_res, aug_level, *weights)


def padded(tokens: Tensor, length: int) -> Tensor:
    """Token states (n, l, width) or mask (n, l), with zeros behind up to `length` tokens."""
    missing = length - tokens.shape[1]
    if missing == 0:
        return tokens
    return functional.pad(tokens, (0, missing) if tokens.ndim == 2 else (0, 0, 0, missing))
