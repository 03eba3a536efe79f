"""A stage that stands still at its network's calls: what is left of it when it fails."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Generator

import pytest
from torch import Tensor

from imagen_core.denoiser import Unet
from imagen_core.events import Event, StageStarted
from imagen_core.paused_stage import PausedStage


class Held:
    """What a stage holds, as the accelerator's memory."""


def test_a_stage_that_fails_lets_go_of_what_it_held() -> None:
    held: list[weakref.ref[Held]] = []

    def failing(unet: Unet) -> Generator[Event, None, Tensor]:
        here = Held()
        held.append(weakref.ref(here))
        yield StageStarted("base", 64, 1, 1)
        raise FloatingPointError("not finite")

    stage = PausedStage(failing)
    assert isinstance(stage.go_on(), StageStarted)
    assert held[0]() is not None
    gc.disable()  # at once, not when somebody collects garbage
    try:
        with pytest.raises(FloatingPointError):
            stage.go_on()
        stage.close()
        assert held[0]() is None
    finally:
        gc.enable()
