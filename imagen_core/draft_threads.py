"""Batches of drafts drawn next to each other, each by a thread with a processor core of its own.

Threads that divide every layer of a network of 64-pixel pictures between them wait for each other at each of them;
threads that draw a batch each do not. On two cores (AMD EPYC) that makes a wall a sixth quicker.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

T = TypeVar("T")
_START = 60.0  # seconds that the threads may take to begin


class DraftThreads:
    """Threads that stay, because what oneDNN prepares for a network belongs to a thread. Safe to use from several."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def in_turn(self, batches: Sequence[Iterator[T]]) -> Iterator[T]:
        """The items of all batches, one of each in turn until all are at their end. Raises what a batch raises."""
        if len(batches) < 2:
            for batch in batches:
                yield from batch
            return
        pool = self._threads()
        waiting, running = deque(batches), deque[tuple[Future[T | None], Iterator[T]]]()
        try:
            while waiting or running:
                while waiting and len(running) < 2 * torch.get_num_threads():  # so that who is done early goes on
                    batch = waiting.popleft()
                    running.append((pool.submit(next, batch, None), batch))
                future, batch = running.popleft()
                item = future.result()
                if item is not None:
                    waiting.append(batch)
                    yield item
        finally:
            wait([future for future, _ in running if not future.cancel()])

    def _threads(self) -> ThreadPoolExecutor:
        """As many threads as torch has, each calculating on one core."""
        with self._lock:
            if self._pool is None:
                cores = torch.get_num_threads()
                ready = threading.Barrier(cores + 1)

                def begin() -> None:
                    torch.get_num_threads()  # a thread's first call sets the number that was set last, by any thread
                    torch.set_num_threads(1)
                    ready.wait(_START)

                pool = ThreadPoolExecutor(cores, "drafts", begin)
                try:
                    for _ in range(cores):
                        pool.submit(int)  # makes a thread begin
                    ready.wait(_START)
                except BaseException:
                    ready.abort()
                    pool.shutdown(wait=False)
                    raise
                finally:
                    torch.set_num_threads(cores)  # of threads that begin later; the others keep what they have
                self._pool = pool
            return self._pool
