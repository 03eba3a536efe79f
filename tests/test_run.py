"""Runs: stopped at any moment from any thread, and several at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import torch
from torch import Tensor

from imagen_core.events import Event, Preview
from imagen_core.imagen import Imagen
from tests.cascade_runs import fast, finished


def test_closing_between_events_ends_the_run(tiny_imagen: Imagen) -> None:
    run = tiny_imagen.stream(fast())
    for event in run:
        if isinstance(event, Preview):
            run.close()
    assert isinstance(event, Preview)
    assert event.step == 1
    assert run.closed
    assert list(run) == []


def test_closing_from_another_thread_stops_within_one_block(tiny_imagen: Imagen) -> None:
    """The first block of a step waits until the run is closed; no other block may be entered after it."""
    entered: list[int] = []
    inside, closed = threading.Event(), threading.Event()
    unet = tiny_imagen.cascade.stages["base"].unet

    def hook(module: torch.nn.Module, inputs: object) -> None:
        entered.append(id(module))
        if len(entered) == 2:
            inside.set()
            assert closed.wait(30)

    for level in [*unet.down, *unet.up]:
        for block in level.blocks:
            block.register_forward_pre_hook(hook)
    run = tiny_imagen.stream(fast())
    events: list[Event] = []
    worker = threading.Thread(target=lambda: events.extend(run))
    worker.start()
    assert inside.wait(30)
    started = time.monotonic()
    run.close()
    assert time.monotonic() - started < 1, "close must not wait for the block"
    closed.set()
    worker.join(30)
    assert not worker.is_alive()
    assert len(entered) == 2
    assert not [event for event in events if isinstance(event, Preview)]


def test_two_runs_at_once_do_not_mix(tiny_imagen: Imagen, make_imagen: Callable[[], Imagen]) -> None:
    recipes = [fast("a cat", 1), fast("a dog", 2)]
    results: dict[int, dict[str, Tensor]] = {}

    def draw(index: int) -> None:
        results[index] = finished(list(tiny_imagen.stream(recipes[index])))

    threads = [threading.Thread(target=draw, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, recipe in enumerate(recipes):
        alone = finished(list(make_imagen().stream(recipe)))
        assert all(torch.equal(results[index][stage], alone[stage]) for stage in alone)
