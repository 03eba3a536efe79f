"""A stage that stands still where it calls its network, so that what it would give can be given with that of others.

Between sampler and network lie a dozen calls, which cannot be left half-way and taken up again but in a thread of their
own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue

from torch import Tensor

from imagen_core.denoiser import Unet
from imagen_core.events import Event, Stopped
from imagen_core.models.attention_record import AttentionRecord
from imagen_core.models.conditioning import UNetConditioning


@dataclass(frozen=True)
class Call:
    """What a recipe would give a network; see `Unet`."""

    x_t: Tensor
    t: Tensor
    given: UNetConditioning


@dataclass(frozen=True)
class End:
    """The recipe's stage is drawn."""

    images: Tensor


class PausedStage:
    """One stage of a recipe, which works while `go_on` is called, and not else."""

    def __init__(self, start: Callable[[Unet], Generator[Event, None, Tensor]]) -> None:
        """Take what draws the stage with a network."""
        self._start = start
        self._told: SimpleQueue[Event | Call | End | BaseException] = SimpleQueue()
        self._answers: SimpleQueue[Tensor | BaseException | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="paused stage", daemon=True)

    def go_on(self, answer: Tensor | None = None) -> Event | Call | End:
        """Work up to the next event or call of the network, or to the end. Raises what the stage raises.

        answer: what the network gave, where it was called.
        """
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._answers.put(answer)
        told = self._told.get()
        if isinstance(told, BaseException):
            try:
                raise told
            finally:
                del told  # else the error and this frame of its traceback hold each other, and the whole stage
        return told

    def close(self) -> None:
        """End the thread, where it is."""
        if self._thread.ident is not None:
            self._answers.put(Stopped())
            self._thread.join()

    def _work(self) -> None:
        with suppress(Stopped):
            try:
                events = self._start(self._unet)
                while True:
                    try:
                        self._told.put(next(events))
                    except StopIteration as end:
                        self._told.put(End(end.value))
                        return
                    self._answer()
            except Stopped:
                raise
            except BaseException as error:  # told to who waits, whatever it is
                self._told.put(error)

    def _unet(
        self,
        x_t: Tensor,
        t: Tensor,
        given: UNetConditioning,
        between_blocks: Callable[[], None] | None = None,
        record: AttentionRecord | None = None,
    ) -> Tensor:
        """The network as the stage sees it; it is stopped, and recorded nothing of, where it is called."""
        self._told.put(Call(x_t, t, given))
        output = self._answer()
        assert output is not None
        return output

    def _answer(self) -> Tensor | None:
        answer = self._answers.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer
