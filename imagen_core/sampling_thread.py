"""The one thread in which a page draws, ahead of those who read what is drawn.

One for all runs, because OpenMP, with which torch works on a processor, gives threads of their own to each thread that
calls it, and lets all of them sleep between two pieces of work as soon as they are more than there are cores: beside
another such team a picture takes a third longer (2 cores, libgomp). What oneDNN prepares for a network belongs to a
thread, too. A wall of drafts is divided from here among threads of a core each, which have no such team. Ahead,
because a page takes an item, packs it, sends it, and only then asks for the next one; a sampler that is a plain
generator stands still meanwhile.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

_ITEMS = 4  # that wait for who reads them; a reader that is slower holds the work up


class Closable(Protocol):
    """A run, or what ends it from another process."""

    def close(self) -> None:
        """End it."""


Order = TypeVar("Order")
Item = TypeVar("Item")
Attach: TypeAlias = Callable[[Closable], None]
# A generator function: it draws what is ordered, hands what ends it to the second argument, and yields what is shown.
Work: TypeAlias = Callable[[Order, Attach], Iterator[Item]]


class _Thread:
    """A thread that does one job after another and begins with the first. Jobs raise nothing.

    Unlike an executor's it does not keep the program from ending while a picture is drawn.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def is_here(self) -> bool:
        """Whether this is asked in the thread."""
        return threading.current_thread() is self._thread

    def give(self, job: Callable[[], None]) -> None:
        """Do `job` after those given before."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._go, name="sampling", daemon=True)
                self._thread.start()
        self._jobs.put(job)

    def _go(self) -> None:
        while True:
            self._jobs.get()()


_thread = _Thread()


@dataclass(frozen=True)
class _End:
    """The work is over; because of an error, if there is one."""

    error: BaseException | None = None


def is_here() -> bool:
    """Whether this is asked in the thread."""
    return _thread.is_here


def done_there(job: Callable[[], Item]) -> Item:
    """What `job` returns, done in the thread, behind what waits there. Raises what `job` raises."""
    if _thread.is_here:
        return job()
    result: Future[Item] = Future()

    def do() -> None:
        try:
            result.set_result(job())
        except BaseException as error:  # told to who waits, whatever it is
            result.set_exception(error)

    _thread.give(do)
    return result.result()


def ahead(work: Work[Order, Item]) -> Work[Order, Item]:
    """`work` in the thread, a few items ahead of who reads them.

    A reader that closes what it iterates over closes what the work attached, and does not wait for its end: gradio
    closes in its event loop.
    """

    def started(order: Order, attach: Attach) -> Iterator[Item]:
        items: queue.Queue[Item | _End] = queue.Queue(_ITEMS)
        attached: list[Closable] = []
        left = threading.Event()  # the reader has

        def attach_here(run: Closable) -> None:
            attached.append(run)
            attach(run)
            if left.is_set():
                run.close()

        def put(item: Item | _End) -> None:
            while not left.is_set():
                with suppress(queue.Full):
                    items.put(item, timeout=0.02)
                    return

        def go() -> None:
            end = _End()
            try:
                for item in work(order, attach_here):
                    put(item)
                    if left.is_set():
                        break
            except BaseException as error:  # told to the reader, whatever it is
                end = _End(error)
            put(end)

        _thread.give(go)
        try:
            while not isinstance(item := items.get(), _End):
                yield item
            if item.error is not None:
                raise item.error
        finally:
            left.set()
            for run in attached:
                run.close()

    return started
