"""A model that waits for the test: a run is still going on when the test needs it, however quick the machine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from torch import Tensor

from imagen_core.denoiser import Denoiser
from imagen_core.imagen import Imagen
from imagen_core.recipe import STAGES
from imagen_core.sampler import Step
from imagen_core.solver_state import KeptStates
from imagen_core.trajectory import Leg
from imagen_core.ui import draft_messages, messages, sweep_messages


class Hold:
    """Where runs wait: behind this step of this stage, which they have shown by then unless it ends its stage."""

    def __init__(self, stage: str, step: int) -> None:
        self.to(stage, step)

    def to(self, stage: str, step: int) -> None:
        """Let runs go on, and wait behind this step."""
        self._last = (STAGES.index(stage), step)

    def open(self) -> None:
        """Let runs go on to their end."""
        self._last = (len(STAGES), 0)

    def waits(self, stage: str, step: int) -> bool:
        """Whether a run that has drawn this step waits."""
        return (STAGES.index(stage), step) >= self._last


@contextmanager
def held(imagen: Imagen, stage: str, step: int) -> Iterator[Hold]:
    """Runs that begin meanwhile, walls of drafts too, wait behind `step` of `stage`; one that is stopped ends there.

    Every step is shown, also those that come so quickly that the page would leave some out.
    """
    hold = Hold(stage, step)
    steps = imagen.cascade.steps

    def waiting(planned: Sequence[Leg], before: Tensor | None, denoiser: Denoiser, kept: KeptStates) -> Iterator[Step]:
        for each in steps(planned, before, denoiser, kept):
            yield each
            while hold.waits(planned[0].stage, each.index + 1):
                assert denoiser.between_blocks is not None
                denoiser.between_blocks()  # ends a run that was stopped, as it does in the midst of a step
                time.sleep(0.01)

    with ExitStack() as patches:
        patches.enter_context(patch.object(imagen.cascade, "steps", waiting))
        for module in (messages, draft_messages, sweep_messages):
            patches.enter_context(patch.object(module, "INTERVAL", 0.0))
        try:
            yield hold
        finally:
            hold.open()
