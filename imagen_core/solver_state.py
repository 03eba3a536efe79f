"""States of a scheduler between two steps, and a place that keeps those of earlier runs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

KEPT_BYTES = 64_000_000
# A state larger than this is not kept: at 1024 pixels three steps would push out all those of the earlier stages, where
# most steps are, and drawing those three again takes a second or two.
LARGEST_BYTES = KEPT_BYTES // 16


@dataclass(frozen=True, eq=False)
class SolverState:
    """All that is needed to go on with a stage as if it had never been left.

    step: how many steps are done, 1 or more.
    sample: what the next one begins with, (n, 3, h, w), in the scheduler's coordinates: x_t is sample / scale.
    x_0: the denoiser's estimate at the last step done, (n, 3, h, w).
    history: what the diffusers scheduler remembers of the steps done, by the names of its attributes.
    """

    step: int
    sample: Tensor
    scale: float
    x_0: Tensor
    history: Mapping[str, Any]

    @property
    def nbytes(self) -> int:
        """Bytes of all its tensors; one that is there twice counts once."""
        tensors = [self.sample, self.x_0]
        for value in self.history.values():
            tensors += [each for each in (value if isinstance(value, tuple) else (value,)) if isinstance(each, Tensor)]
        return sum({id(tensor): tensor.nbytes for tensor in tensors}.values())


class KeptStates:
    """States by the key of what determines them, those used last, `KEPT_BYTES` at most. Threads may share it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, SolverState] = OrderedDict()
        self._nbytes = 0
        self._lock = threading.Lock()

    def keep(self, key: Hashable, state: SolverState) -> None:
        """Keep a state, unless it is larger than `LARGEST_BYTES`."""
        if state.nbytes > LARGEST_BYTES:
            return
        with self._lock:
            old = self._kept.pop(key, None)
            self._nbytes += state.nbytes - (old.nbytes if old is not None else 0)
            self._kept[key] = state
            while self._nbytes > KEPT_BYTES:
                _, oldest = self._kept.popitem(last=False)
                self._nbytes -= oldest.nbytes

    def get(self, key: Hashable) -> SolverState | None:
        """The state of this key, if it is kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def clear(self) -> None:
        """Let go of all."""
        with self._lock:
            self._kept.clear()
            self._nbytes = 0
