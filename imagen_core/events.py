"""What happened in a run, one small frozen class per event.

`Cascade.run(recipe)` yields for each stage, in their order::

    PromptEncoded ..., StageStarted, Preview ..., StageFinished

`PromptEncoded` comes once for each prompt, from the first stage that reads it: the prompt or the stage's own, the
second prompt, the negative prompt. So most stages behind the first have none. A stage that is kept from an earlier run
has neither `StageStarted` nor `Preview`, but `StageFinished` alone; `anew` asks for all of it. `Preview` comes once for
each step, but for those that `StageStarted` tells of a fork.

The page, the command line and the tests are consumers of nothing else. Tensors are shaped (n, 3, height, width) with n
the number of images, float32, nominal range [-1, 1]. Nothing is written to a tensor once it was handed out; a consumer
must not write to it either, because the next stage and the next run may read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PromptEncoded:
    """The frozen text encoder has read a prompt (section 2.1 of arXiv 2205.11487), here without weights of words.

    `kept` and `cut` are the parts of the prompt before and behind the encoder's token limit, `unknown` the words
    for which its vocabulary has no piece. `cached` tells that no encoder ran, because the prompt was encoded before.
    `negative` tells that it is the negative prompt, which is read for a stage with a guided step alone.
    """

    prompt: str
    num_tokens: int
    max_tokens: int
    kept: str
    cut: str
    unknown: tuple[str, ...]
    seconds: float
    cached: bool
    negative: bool = False


@dataclass(frozen=True)
class StageStarted:
    """A stage begins. `num_steps` is the number of denoising steps that will really be done.

    It can be lower than what the recipe asks for, where the chosen spacing has no more distinct timesteps.
    `kept_steps` of them, the first ones, are those of a fork's parent. Where the cascade still has what they led to,
    there is no `Preview` of them; else they are drawn again.
    """

    stage: str
    size: int
    num_images: int
    num_steps: int
    kept_steps: int = 0


@dataclass(frozen=True)
class StepStats:
    """Instruments of one denoising step; tuples hold one number per image.

    log_snr: log(alpha_bar / (1 - alpha_bar)) at the step's timestep, the same for all images.
    threshold: s, the percentile of |x_0| that dynamic thresholding found (section 2.3); 1.0 where it is not in use.
    clipped_share: the share of values of x_0 that thresholding moved, in [0, 1].
    guidance_norm: root mean square over values of (conditional x_0 - unconditional x_0); 0.0 where guidance is off.
    cosine: cosine between the conditional and the unconditional epsilon; 1.0 where guidance is off.
    change: root mean square of the change of x_0 since the step before; 0.0 at the first step.
    """

    log_snr: float
    threshold: tuple[float, ...]
    clipped_share: tuple[float, ...]
    guidance_norm: tuple[float, ...]
    cosine: tuple[float, ...]
    change: tuple[float, ...]


@dataclass(frozen=True)
class WordAttention:
    """Where a step looked for each word: the U-Net's attention to the prompt, not to the negative one.

    words: those of the stage's prompt, in order, without punctuation and without those that were cut off.
    maps: (n, words, h, w), float32: at each place the share of its attention to the text that went to a word's tokens,
        the mean over heads and layers at the finest of the layers' sizes (after DAAM, arXiv 2210.04885).
    text_share: for each image the share that went to any token of the text, in [0, 1]. The text has a softmax of its
        own, in which a learned token stands for "no text"; what that one does not get is the text's.
    """

    words: tuple[str, ...]
    maps: Tensor
    text_share: tuple[float, ...]


@dataclass(frozen=True)
class Preview:
    """One denoising step was done.

    `step` counts from 1 to `num_steps`. `x_0` is the denoiser's estimate of the clean image at this step, after
    guidance and thresholding; `x_t` the noisy image from which it was made. `seconds` since the stage began.
    `attention` is None unless the run was asked for it, and where the stage's network cannot tell.
    """

    stage: str
    step: int
    num_steps: int
    x_0: Tensor
    x_t: Tensor
    stats: StepStats
    seconds: float
    attention: WordAttention | None = None


@dataclass(frozen=True)
class StageFinished:
    """A stage's images, `x_0` in [-1, 1], or beyond where it does not threshold.

    `cached` tells that they come from an earlier run, unchanged.
    """

    stage: str
    size: int
    x_0: Tensor
    seconds: float
    cached: bool


Event: TypeAlias = PromptEncoded | StageStarted | Preview | StageFinished


class StageError(RuntimeError):
    """A stage stopped; `stage` names it. Pictures of the stages before it were already yielded and stay good."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(stage, message)
        self.stage = stage
        self.message = message

    def __str__(self) -> str:
        return f"{self.stage}: {self.message}"


class Stopped(Exception):
    """The consumer asked the run to stop; raised inside the run only and never seen by a consumer."""
