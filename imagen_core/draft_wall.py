"""Drawing a wall of drafts: batches of the base stage in turn, a step each, so that all of them grow together.

A draft is for choosing. What makes many of them quick on a processor changes the last bits of a picture, or more:
several images go through the U-Net together, and in bfloat16 where that is quicker. So nothing of a draft is kept or
enlarged; what was chosen is drawn again by the cascade, alone, and is the picture that its recipe always gives.

Measured with the bundled base on one core of an AMD EPYC with AVX-512 BF16, a guided step of one image: float32 63 ms
alone, 48 ms in batches of 4, 44 of 8, 46 of 16, which is four fifths of what the core's arithmetic units can do;
bfloat16 40 ms alone, 25 in batches of 8. In float32 a batch of 8 moves one 8-bit value in 19,000, by one; bfloat16 ends
41 to 46 dB from float32 after 12 steps (24 pictures): to the eye the same picture.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

import torch
from torch import Tensor, nn

from imagen_core.cascade import Cascade
from imagen_core.draft_threads import DraftThreads
from imagen_core.drafts import MAX_DRAFTS, Batch, Drafts
from imagen_core.models.precision import draft_format
from imagen_core.models.unet import UNet
from imagen_core.run import Run
from imagen_core.solver_state import KeptStates
from imagen_core.stage import ANOTHER_SEED, told_of_stage
from imagen_core.trajectory import legs

BATCH = 8  # images that go through the U-Net together on a processor; an accelerator takes all


@dataclass(frozen=True)
class DraftStep:
    """One denoising step of some drafts: their numbers, and their x_0 (n, 3, 64, 64) in [-1, 1].

    `step` counts from 1 to `num_steps`. `refused` tells, of the last step, which ones must not be shown; those are
    grey. The estimates of the earlier steps are no pictures yet.
    """

    drafts: tuple[int, ...]
    step: int
    num_steps: int
    x_0: Tensor
    refused: tuple[bool, ...]


class DraftWall:
    """The base stage of a cascade as drafts need it. Several threads may draw at the same time.

    number_format: torch.float32 or torch.bfloat16 for the U-Net; None to measure, at the first wall, which is quicker.
    """

    def __init__(self, cascade: Cascade, number_format: torch.dtype | None = None) -> None:
        self._cascade = cascade
        self._format = number_format
        self._unet: nn.Module | None = None
        self._threads = DraftThreads()
        self._lock = threading.Lock()

    def run(self, drafts: Drafts) -> Run[DraftStep]:
        """Draw them. The iterator raises `StageError` where the stage cannot go on."""
        return Run(lambda stop_if_asked: self._steps(drafts, stop_if_asked))

    @property
    def number_format(self) -> torch.dtype:
        """What the U-Net of drafts computes in."""
        return next(self._draft_unet().parameters()).dtype

    def _steps(self, drafts: Drafts, stop_if_asked: Callable[[], None]) -> Iterator[DraftStep]:
        on_processor = self._cascade.device.type == "cpu"
        size = min(BATCH, -(-drafts.num_drafts // torch.get_num_threads())) if on_processor else MAX_DRAFTS
        with told_of_stage("base", "ask for fewer drafts", ANOTHER_SEED):
            batches = [self._batch(batch, stop_if_asked) for batch in drafts.batches(size)]
            if on_processor:
                yield from self._threads.in_turn(batches)
            else:
                yield from chain.from_iterable(zip(*batches, strict=True))  # all have as many steps

    def _batch(self, batch: Batch, stop_if_asked: Callable[[], None]) -> Iterator[DraftStep]:
        stage, recipe = self._cascade.stages["base"], batch.recipe
        planned = legs(recipe, stage.name, stage.noise_schedule)
        plain = self._cascade.denoiser(stage.name, stop_if_asked)
        denoiser = replace(plain, unet=self._draft_unet(), chunk=None)
        # With kept states of its own, because those of drafts are not those of a picture drawn alone.
        for step in self._cascade.steps(planned, None, denoiser, KeptStates()):
            x_0, refused = step.x_0, (False,) * recipe.num_images
            if step.index + 1 == step.num_steps:
                if stage.refused is not None:
                    refused = stage.refused(x_0)
                    x_0 = x_0.masked_fill(torch.tensor(refused, device=x_0.device)[:, None, None, None], 0)
                x_0 = stage.handed_out(x_0)
            yield DraftStep(batch.drafts, step.index + 1, step.num_steps, x_0, refused)

    def _draft_unet(self) -> nn.Module:
        """The base's own U-Net, or a copy of it in the quicker format."""
        with self._lock:
            if self._unet is None:
                base = self._cascade.stages["base"]
                self._unet = base.unet
                if isinstance(base.unet, UNet) and self._cascade.device.type == "cpu":
                    chosen = self._format or draft_format(base.unet, base.size)
                    if chosen != next(base.unet.parameters()).dtype:
                        self._unet = copy.deepcopy(base.unet).to(chosen).eval().requires_grad_(False)
            return self._unet
