"""Short runs of the cascade for tests, and what is read of their events."""

from __future__ import annotations

from torch import Tensor

from imagen_core.events import Event, StageFinished, StageStarted
from imagen_core.recipe import Recipe

FAST = {"base": {"num_steps": 4}, "sr256": {"num_steps": 3}, "sr1024": {"num_steps": 2}}


def fast(prompt: str = "a red apple", seed: int = 7) -> Recipe:
    return Recipe(prompt=prompt, seed=seed).updated(FAST)


def finished(events: list[Event]) -> dict[str, Tensor]:
    return {event.stage: event.x_0 for event in events if isinstance(event, StageFinished)}


def drawn_again(events: list[Event]) -> list[str]:
    return [event.stage for event in events if isinstance(event, StageStarted)]
