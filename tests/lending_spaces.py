"""A stand-in for the package `spaces` on a Space that lends its accelerator: it forks and pickles as that one does.

A decorated generator function runs in a thread of a forked process, which serves the next call too. What it yields is
queued without waiting for the reader; a reader that leaves is noticed after the next thing that is yielded, and waited
for. Of an error only the name of its class comes back, and what takes longer than it asked for is killed.
"""

from __future__ import annotations

import inspect
import multiprocessing
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

FORK = multiprocessing.get_context("fork")
durations: list[float] = []
processes: list[Any] = []


class _Worker:
    """A forked process, and the queues to and from it."""

    def __init__(self, work: Callable[..., Iterator[Any]]) -> None:
        self.orders, self.results, self.left = FORK.SimpleQueue(), FORK.SimpleQueue(), FORK.Event()
        self.process = FORK.Process(target=self._serve, args=(work,), daemon=True)
        self.process.start()
        processes.append(self.process)

    def _serve(self, work: Callable[..., Iterator[Any]]) -> None:
        while True:
            arguments = pickle.loads(self.orders.get())
            self.left.clear()
            thread = threading.Thread(target=self._work, args=(work, arguments))
            thread.start()
            thread.join()
            self.results.put(("end", b""))

    def _work(self, work: Callable[..., Iterator[Any]], arguments: tuple[Any, ...]) -> None:
        items = work(*arguments)
        try:
            for item in items:
                if self.left.is_set():
                    items.close()  # type: ignore[attr-defined]
                    return
                self.results.put(("item", pickle.dumps(item)))
        except Exception as error:
            told = error if isinstance(error, gr.Error) else gr.Error(type(error).__name__, print_exception=False)
            self.results.put(("error", pickle.dumps(told.message)))

    def answers(self, limit: float) -> Iterator[Any]:
        """What comes back, until its end."""
        deadline = time.monotonic() + limit
        while True:
            while self.results.empty():
                if time.monotonic() > deadline:
                    self.process.kill()
                    raise gr.Error("GPU task aborted", title="ZeroGPU worker error", print_exception=False)
                time.sleep(0.002)
            kind, data = self.results.get()
            if kind == "end":
                return
            if kind == "error":
                raise gr.Error(pickle.loads(data), title="ZeroGPU worker error", print_exception=False)
            yield pickle.loads(data)

    def drained(self) -> None:
        """Wait until it has noticed that its reader left."""
        while self.process.is_alive() and self.results.get()[0] != "end":
            pass


def GPU(duration: float | Callable[..., float] = 60) -> Callable[[Any], Any]:
    def decorate(work: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        assert inspect.isgeneratorfunction(work)  # else the whole generator would be pickled
        workers: list[_Worker] = []

        def borrowed(*arguments: Any) -> Iterator[Any]:
            limit = duration(*arguments) if callable(duration) else duration
            durations.append(limit)
            worker = workers.pop() if workers and workers[0].process.is_alive() else _Worker(work)
            worker.orders.put(pickle.dumps(arguments))
            try:
                yield from worker.answers(limit)
            except GeneratorExit:
                worker.left.set()
                worker.drained()
                raise
            finally:
                workers.append(worker)

        return borrowed

    return decorate


def end() -> None:
    """End what was forked, and forget."""
    for process in processes:
        assert process.pid != os.getpid()
        process.kill()
        process.join()
    processes.clear()
    durations.clear()
