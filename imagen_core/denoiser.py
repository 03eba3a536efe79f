"""The denoiser D(x_t, t) -> x_0: U-Net, text conditioning, guidance and thresholding.

Whatever the U-Net predicts becomes x_0 here, once. Guidance and thresholding act on it, and it is the preview, the
input of the scheduler and, at the last step, the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, get_args

import torch
from torch import Tensor
from torch.nn import functional

from imagen_core.guidance import guide
from imagen_core.schedulers import NoiseSchedule
from imagen_core.thresholding import Thresholding, threshold

Prediction: TypeAlias = Literal["epsilon", "v", "x_0"]
PREDICTIONS: tuple[Prediction, ...] = get_args(Prediction)


class Unet(Protocol):
    """What a denoiser needs of a U-Net."""

    def __call__(  # noqa: D102
        self,
        x_t: Tensor,
        t: Tensor,
        text: Tensor,
        mask: Tensor,
        low_res: Tensor | None = None,
        aug_level: Tensor | None = None,
        between_blocks: Callable[[], None] | None = None,
    ) -> Tensor: ...


@dataclass(frozen=True)
class Conditioning:
    """What the U-Net knows beside x_t, for n images.

    text, mask: token states (n, l, width) of the frozen T5, and which of them count, bool (n, l).
    negative_text, negative_mask: the same of a negative prompt, which then takes the place of "no text" in guidance.
    low_res: the stage before, (n, 3, h, w) at this stage's size and already noised to aug_level; None in the base.
    """

    text: Tensor
    mask: Tensor
    negative_text: Tensor | None = None
    negative_mask: Tensor | None = None
    low_res: Tensor | None = None
    aug_level: float = 0.0

    def images(self, part: slice) -> Conditioning:
        """The conditioning of some of the images."""
        tensors = (self.text, self.mask, self.negative_text, self.negative_mask, self.low_res)
        text, mask, negative_text, negative_mask, low_res = (None if t is None else t[part] for t in tensors)
        assert text is not None
        assert mask is not None
        return Conditioning(text, mask, negative_text, negative_mask, low_res, self.aug_level)

    def with_unconditional(self) -> Conditioning:
        """Twice as many images: these, then the same with the negative prompt, or with all tokens masked."""
        text, mask = self.negative_text, self.negative_mask
        if text is None or mask is None:
            text, mask = self.text, torch.zeros_like(self.mask)
        length = max(text.shape[1], self.text.shape[1])
        low_res = None if self.low_res is None else torch.cat([self.low_res, self.low_res])
        return Conditioning(
            text=torch.cat([_padded(self.text, length), _padded(text, length)]),
            mask=torch.cat([_padded(self.mask, length), _padded(mask, length)]),
            low_res=low_res,
            aug_level=self.aug_level,
        )


@dataclass(frozen=True)
class Denoised:
    """x_0 (n, 3, h, w) after guidance and thresholding, and per image the instruments of `StepStats`."""

    x_0: Tensor
    threshold: tuple[float, ...]
    clipped_share: tuple[float, ...]
    guidance_norm: tuple[float, ...]
    cosine: tuple[float, ...]


@dataclass(frozen=True)
class Denoiser:
    """A U-Net with all that it takes to get x_0 from it.

    prediction: what the U-Net gives: epsilon, v = alpha epsilon - sigma x_0 (arXiv 2202.00512, appendix D), or x_0.
    chunk: how many images go through the U-Net together, None for all. With 1 an image is the same to the last bit
        alone and among others, and on a CPU nothing is lost; an accelerator wants them together.
    between_blocks: called by the U-Net between its blocks; raises `Stopped` to stop.
    """

    unet: Unet
    noise_schedule: NoiseSchedule
    prediction: Prediction
    chunk: int | None = None
    between_blocks: Callable[[], None] | None = None

    @torch.inference_mode()
    def __call__(
        self, x_t: Tensor, t: int, conditioning: Conditioning, guidance_scale: float, thresholding: Thresholding
    ) -> Denoised:
        """Denoise x_t (n, 3, h, w) at timestep t in 0 ... 999.

        With guidance_scale 1 (off) the U-Net sees each image once, else twice, with and without the text.

        Raises:
            FloatingPointError: the prediction holds NaN or infinity.
        """
        size = self.chunk or len(x_t)
        parts = []
        for start in range(0, len(x_t), size):
            part = slice(start, start + size)
            parts.append(self._denoise(x_t[part], t, conditioning.images(part), guidance_scale, thresholding))
        if len(parts) == 1:
            return parts[0]
        return Denoised(
            x_0=torch.cat([part.x_0 for part in parts]),
            threshold=tuple(value for part in parts for value in part.threshold),
            clipped_share=tuple(value for part in parts for value in part.clipped_share),
            guidance_norm=tuple(value for part in parts for value in part.guidance_norm),
            cosine=tuple(value for part in parts for value in part.cosine),
        )

    def _denoise(
        self, x_t: Tensor, t: int, conditioning: Conditioning, guidance_scale: float, thresholding: Thresholding
    ) -> Denoised:
        norms, cosines = (0.0,) * len(x_t), (1.0,) * len(x_t)
        if guidance_scale == 1:
            x_0 = self._predict(x_t, t, conditioning)  # (n, 3, h, w)
        else:
            both = self._predict(torch.cat([x_t, x_t]), t, conditioning.with_unconditional())  # (2 n, 3, h, w)
            conditional, unconditional = both.chunk(2)
            x_0 = guide(conditional, unconditional, guidance_scale)
            norms = tuple(_norm(conditional - unconditional).div(math.sqrt(x_0[0].numel())).tolist())
            cosines = self._cosines(x_t, t, both)
        done = threshold(x_0, thresholding)
        return Denoised(done.x_0, done.s, done.clipped_share, norms, cosines)

    def _predict(self, x_t: Tensor, t: int, conditioning: Conditioning) -> Tensor:
        """x_0 (n, 3, h, w) before guidance."""
        x_t = x_t.contiguous(memory_format=torch.channels_last)
        timesteps = torch.full((len(x_t),), float(t), device=x_t.device)  # (n,)
        low_res, aug_level = conditioning.low_res, None
        if low_res is not None:
            low_res = low_res.contiguous(memory_format=torch.channels_last)
            aug_level = torch.full((len(x_t),), conditioning.aug_level, device=x_t.device)  # (n,)
        text, mask = conditioning.text, conditioning.mask
        output = self.unet(x_t, timesteps, text, mask, low_res, aug_level, self.between_blocks)
        x_0 = self._to_x_0(output.to(x_t.dtype), x_t, t)
        if not math.isfinite(x_0.sum().item()):  # one pass over the picture, five times quicker than isfinite().all()
            raise FloatingPointError(f"the prediction at timestep {t} is not finite")
        return x_0

    def _to_x_0(self, output: Tensor, x_t: Tensor, t: int) -> Tensor:
        alpha, sigma = self._alpha_sigma(t)
        match self.prediction:
            case "x_0":
                return output
            case "v":
                return x_t * alpha - output * sigma
            case "epsilon":
                return (x_t - output * sigma) / alpha

    def _cosines(self, x_t: Tensor, t: int, both: Tensor) -> tuple[float, ...]:
        """Cosine of the angle between conditional and unconditional epsilon, from both x_0 (2 n, 3, h, w)."""
        alpha, _ = self._alpha_sigma(t)
        first, second = (x_t - x_0 * alpha for x_0 in both.chunk(2))  # sigma epsilon
        cosines = (first * second).sum(dim=(1, 2, 3)) / (_norm(first) * _norm(second))
        return tuple(cosines.clamp(-1, 1).tolist())

    def _alpha_sigma(self, t: int) -> tuple[float, float]:
        alpha_bar = self.noise_schedule.alphas_cumprod[t].item()
        return math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar)


def _norm(pictures: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(pictures, dim=(1, 2, 3))  # (n,)
    return norms


def _padded(tokens: Tensor, length: int) -> Tensor:
    """Token states (n, l, width) or mask (n, l), with zeros behind up to `length` tokens."""
    missing = length - tokens.shape[1]
    if missing == 0:
        return tokens
    return functional.pad(tokens, (0, missing) if tokens.ndim == 2 else (0, 0, 0, missing))
