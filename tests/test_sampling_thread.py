"""Work ahead of its reader: the same items, no more of them than wait, and an end whichever side leaves first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from imagen_core.sampling_thread import Attach, ahead, done_there


class Endless:
    """A run that counts until it is closed."""

    def __init__(self) -> None:
        self.made = 0
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()

    def work(self, first: int, attach: Attach) -> Iterator[int]:
        attach(self)
        while not self.closed.is_set():
            self.made += 1
            yield first + self.made


def ignored(_run: object) -> None:
    """Nobody who could close it."""


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def test_it_yields_what_the_work_yields() -> None:
    def work(count: int, attach: Attach) -> Iterator[str]:
        yield from (str(number) for number in range(count))

    assert list(ahead(work)(100, ignored)) == [str(number) for number in range(100)]
    assert list(ahead(work)(0, ignored)) == []


def test_it_goes_on_while_nobody_reads_but_only_so_far() -> None:
    run = Endless()
    items = ahead(run.work)(0, ignored)
    assert next(items) == 1
    until(lambda: run.made >= 3)
    time.sleep(0.1)
    assert run.made < 10
    assert [next(items) for _ in range(20)] == list(range(2, 22))
    items.close()  # type: ignore[attr-defined]


def test_all_runs_are_in_one_thread_that_is_not_a_readers() -> None:
    threads = set()

    def work(count: int, attach: Attach) -> Iterator[int]:
        for number in range(count):
            threads.add(threading.get_ident())
            yield number

    for _ in range(3):
        list(ahead(work)(20, ignored))
    threads.add(done_there(threading.get_ident))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_what_is_done_there_gives_its_result_or_its_error() -> None:
    here, there = threading.get_ident(), done_there(threading.get_ident)
    assert here != there
    assert done_there(lambda: done_there(threading.get_ident)) == there  # from the thread itself, too
    with pytest.raises(ZeroDivisionError):
        done_there(lambda: 1 // 0)
    assert done_there(lambda: "the thread goes on") == "the thread goes on"


def test_a_reader_that_leaves_does_not_wait_for_what_is_at_work() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(first: int, attach: Attach) -> Iterator[int]:
        yield first
        begun.set()
        assert go_on.wait(10)  # a step that takes long
        yield first + 1

    items = ahead(work)(0, ignored)
    next(items)
    assert begun.wait(10)
    items.close()  # type: ignore[attr-defined]
    go_on.set()
    assert done_there(lambda: "free again") == "free again"


def test_a_reader_that_leaves_gives_room_to_the_next() -> None:
    """Also where the work waits for room."""
    run = Endless()
    items = ahead(run.work)(0, ignored)
    next(items)
    until(lambda: run.made >= 5)
    items.close()  # type: ignore[attr-defined]
    assert done_there(lambda: "free again") == "free again"


def test_an_error_comes_where_it_came_up() -> None:
    def work(count: int, attach: Attach) -> Iterator[int]:
        yield from range(count)
        raise ValueError("no more")

    items = ahead(work)(2, ignored)
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(ValueError, match="no more"):
        next(items)


def test_a_reader_that_leaves_ends_the_work() -> None:
    run = Endless()
    items = ahead(run.work)(0, ignored)
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert run.closed.is_set()
    made = done_there(lambda: run.made)  # when it is over
    time.sleep(0.05)
    assert run.made == made


def test_what_is_attached_after_the_reader_left_is_closed_too() -> None:
    run, left = Endless(), threading.Event()

    def work(first: int, attach: Attach) -> Iterator[int]:
        yield first
        assert left.wait(10)
        time.sleep(0.05)  # the reader is closing by now
        yield from run.work(first, attach)

    items = ahead(work)(0, ignored)
    next(items)
    left.set()
    items.close()  # type: ignore[attr-defined]
    assert done_there(run.closed.is_set)
    assert run.made <= 1


def test_it_is_attached_where_the_reader_wants_it() -> None:
    run, attached = Endless(), []
    items = ahead(run.work)(0, attached.append)
    next(items)
    assert attached == [run]
    attached[0].close()  # as Stop does
    assert len(list(items)) < 10
