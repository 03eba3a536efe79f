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

from imagen_core.conditioning import Conditioning
from imagen_core.guidance import guide, guide_epsilon
from imagen_core.models.attention_record import AttentionRecord
from imagen_core.models.conditioning import UNetConditioning
from imagen_core.noise_schedule import NoiseSchedule
from imagen_core.thresholding import Thresholding, threshold

Prediction: TypeAlias = Literal["epsilon", "v", "x_0"]
PREDICTIONS: tuple[Prediction, ...] = get_args(Prediction)


class Unet(Protocol):
    """What a denoiser needs of a U-Net. One that predicts its variance too gives twice the channels of x_t."""

    def __call__(  # noqa: D102
        self,
        x_t: Tensor,
        t: Tensor,
        given: UNetConditioning,
        between_blocks: Callable[[], None] | None = None,
        record: AttentionRecord | None = None,
    ) -> Tensor: ...


@dataclass(frozen=True)
class Denoised:
    """x_0 (n, 3, h, w) after guidance and thresholding, and per image the instruments of `StepStats`.

    attention: (n, 1 + l, h, w), see `AttentionRecord.maps`, where the denoiser records it.
    variance: what the U-Net predicts of it with the text, shaped like x_0 (see `Scheduler.step`), where it does.
    """

    x_0: Tensor
    variance: Tensor | None
    threshold: tuple[float, ...]
    clipped_share: tuple[float, ...]
    guidance_norm: tuple[float, ...]
    cosine: tuple[float, ...]
    attention: Tensor | None = None


@dataclass(frozen=True)
class Denoiser:
    """A U-Net with all that it takes to get x_0 from it.

    prediction: what the U-Net gives: epsilon, v = alpha epsilon - sigma x_0 (arXiv 2202.00512, appendix D), or x_0.
    chunk: how many images go through the U-Net together, None for all. With 1 an image is the same to the last bit
        alone and among others, and on a CPU nothing is lost; an accelerator wants them together.
    between_blocks: called by the U-Net between its blocks; raises `Stopped` to stop.
    threshold_cap: the largest s of dynamic thresholding that the U-Net was made for, None for any.
    attention: whether the attention to the text is recorded; it changes no picture.
    watched: is shown every guided x_0 before it is thresholded, `chunk` images at a time.
    """

    unet: Unet
    noise_schedule: NoiseSchedule
    prediction: Prediction
    chunk: int | None = None
    between_blocks: Callable[[], None] | None = None
    threshold_cap: float | None = None
    attention: bool = False
    watched: Callable[[Tensor], None] | None = None

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
        variances = [part.variance for part in parts if part.variance is not None]
        attention = [part.attention for part in parts if part.attention is not None]
        return Denoised(
            x_0=torch.cat([part.x_0 for part in parts]),
            variance=torch.cat(variances) if variances else None,
            threshold=tuple(value for part in parts for value in part.threshold),
            clipped_share=tuple(value for part in parts for value in part.clipped_share),
            guidance_norm=tuple(value for part in parts for value in part.guidance_norm),
            cosine=tuple(value for part in parts for value in part.cosine),
            attention=torch.cat(attention) if attention else None,
        )

    def _denoise(
        self, x_t: Tensor, t: int, conditioning: Conditioning, guidance_scale: float, thresholding: Thresholding
    ) -> Denoised:
        norms, cosines = (0.0,) * len(x_t), (1.0,) * len(x_t)
        record = AttentionRecord(len(x_t)) if self.attention else None
        if guidance_scale == 1:
            output, variance = self._predict(x_t, t, conditioning, record)  # (n, 3, h, w)
            x_0 = self._to_x_0(output, x_t, t)
        else:
            known = conditioning.with_unconditional()
            both, variance = self._predict(torch.cat([x_t, x_t]), t, known, record)  # (2 n, ...)
            variance = None if variance is None else variance[: len(x_t)]
            if self.prediction == "epsilon":
                x_0, norms, cosines = self._guided_by_epsilon(x_t, t, both, guidance_scale)
            else:
                both = self._to_x_0(both, torch.cat([x_t, x_t]), t)
                conditional, unconditional = both.chunk(2)
                x_0 = guide(conditional, unconditional, guidance_scale)
                norms = tuple(_norm(conditional - unconditional).div(math.sqrt(x_0[0].numel())).tolist())
                cosines = self._cosines(x_t, t, both)
        if not math.isfinite(x_0.sum().item()):  # one pass over the picture, five times quicker than isfinite().all()
            raise FloatingPointError(f"the prediction at timestep {t} is not finite")
        if self.watched is not None:
            self.watched(x_0)
        done = threshold(x_0, thresholding)
        maps = None if record is None else record.maps()
        return Denoised(done.x_0, variance, done.s, done.clipped_share, norms, cosines, maps)

    def _predict(
        self, x_t: Tensor, t: int, conditioning: Conditioning, record: AttentionRecord | None
    ) -> tuple[Tensor, Tensor | None]:
        """What the U-Net gives, (n, 3, h, w), and the variance of the same shape where it predicts one."""
        x_t = x_t.contiguous(memory_format=torch.channels_last)
        timesteps = torch.full((len(x_t),), float(t), device=x_t.device)  # (n,)
        low_res, aug_level = conditioning.low_res, None
        if low_res is not None:
            low_res = low_res.contiguous(memory_format=torch.channels_last)
            aug_level = torch.full((len(x_t),), conditioning.aug_level, device=x_t.device)  # (n,)
        text, mask = conditioning.text, conditioning.mask
        given = UNetConditioning(text, mask, low_res, aug_level, conditioning.log_weights)
        output = self.unet(x_t, timesteps, given, self.between_blocks, record).to(x_t.dtype)
        variance = None
        if output.shape[1] == 2 * x_t.shape[1]:
            output, variance = output.chunk(2, dim=1)
        return output, variance

    def _guided_by_epsilon(
        self, x_t: Tensor, t: int, both: Tensor, guidance_scale: float
    ) -> tuple[Tensor, tuple[float, ...], tuple[float, ...]]:
        """Guided x_0 (n, 3, h, w), guidance norms and cosines, from both epsilon (2 n, 3, h, w)."""
        conditional, unconditional = both.chunk(2)
        x_0 = self._to_x_0(guide_epsilon(conditional, unconditional, guidance_scale), x_t, t)
        alpha, sigma = self._alpha_sigma(t)
        norms = _norm(conditional - unconditional) * (sigma / alpha / math.sqrt(x_0[0].numel()))
        return x_0, tuple(norms.tolist()), _cosine(conditional, unconditional)

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
        return _cosine(first, second)

    def _alpha_sigma(self, t: int) -> tuple[float, float]:
        alpha_bar = self.noise_schedule.alphas_cumprod[t].item()
        return math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar)


def _cosine(first: Tensor, second: Tensor) -> tuple[float, ...]:
    cosines = (first * second).sum(dim=(1, 2, 3)) / (_norm(first) * _norm(second))
    return tuple(cosines.clamp(-1, 1).tolist())


def _norm(pictures: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(pictures, dim=(1, 2, 3))  # (n,)
    return norms
