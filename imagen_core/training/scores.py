"""How often pictures are what their prompts say: shares with their intervals, ceilings and floors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from imagen_core.training.prompts import Prompt
from imagen_core.training.truth import Reading, holds


@dataclass(frozen=True)
class Score:
    """So many right of n."""

    right: int
    n: int

    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share (E. B. Wilson 1927, equation 7)."""
        z, share = 1.959964, self.right / self.n
        middle = share + z * z / (2 * self.n)
        spread = z * math.sqrt(share * (1 - share) / self.n + z * z / (4 * self.n**2))
        whole = 1 + z * z / self.n
        # At 0 and 1 the end is the share itself; rounding must not put it on the other side.
        return min(share, max(0.0, (middle - spread) / whole)), max(share, min(1.0, (middle + spread) / whole))

    def to_dict(self) -> dict[str, float]:
        """The share, its interval, n."""
        low, high = self.interval()
        return {"accuracy": self.right / self.n, "low": low, "high": high, "n": self.n}


def score(prompts: Sequence[Prompt], readings: Sequence[Reading]) -> Score:
    """How many pictures are what their own prompts say."""
    right = sum(holds(prompt, seen) for prompt, seen in zip(prompts, readings, strict=True))
    return Score(right, len(prompts))


def floor(prompts: Sequence[Prompt], readings: Sequence[Reading]) -> float | None:
    """The share of pictures that are what another picture's prompt says; None where all prompts are the same."""
    crossed = [
        holds(prompt, seen)
        for own, seen in zip(prompts, readings, strict=True)
        for prompt in prompts
        if prompt.text != own.text
    ]
    return sum(crossed) / len(crossed) if crossed else None


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean."""
    return sum(values) / len(values)
