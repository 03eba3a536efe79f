"""A run: the events of one recipe, or of a wall of drafts, which any thread may stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Generic

from imagen_core.events import Event, Stopped

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T = TypeVar("T", default=Event)
else:  # without the default, which only a type checker needs
    from typing import TypeVar

    T = TypeVar("T")


class Run(Generic[T]):
    """The events of one run, an iterator. `close`, from any thread, stops it within one block of a U-Net."""

    def __init__(self, start: Callable[[Callable[[], None]], Iterator[T]]) -> None:
        self._stop = threading.Event()
        self._working = threading.Lock()
        self._events = start(self._stop_if_asked)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        with self._working:
            if self._stop.is_set():
                if isinstance(self._events, Generator):
                    self._events.close()  # now, with what it holds, not when somebody collects garbage
                raise StopIteration
            try:
                return next(self._events)
            except Stopped:
                raise StopIteration from None

    def close(self) -> None:
        """End the run. No event comes after this, but for one that is being handed out at this moment."""
        self._stop.set()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._stop.is_set()

    def _stop_if_asked(self) -> None:
        if self._stop.is_set():
            raise Stopped
