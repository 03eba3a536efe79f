"""Batches in threads of their own: their order, their cores, and what goes wrong in one."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from imagen_core.draft_threads import DraftThreads


@pytest.fixture(autouse=True)
def two_cores() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_one_of_each_in_turn_until_all_are_at_their_end() -> None:
    lengths = {"a": 3, "b": 1, "c": 2}
    batches = [iter([f"{name}{step}" for step in range(length)]) for name, length in lengths.items()]
    assert list(DraftThreads().in_turn(batches)) == ["a0", "b0", "c0", "a1", "c1", "a2"]


def test_two_batches_are_worked_on_at_once_with_a_core_each() -> None:
    meeting = threading.Barrier(2, timeout=20)  # breaks if one waits for the other's end

    def batch() -> Iterator[int]:
        for _ in range(3):
            meeting.wait()
            yield torch.get_num_threads()

    assert list(DraftThreads().in_turn([batch(), batch()])) == [1] * 6


def test_other_threads_keep_their_cores() -> None:
    threads = DraftThreads()
    assert list(threads.in_turn([iter([1]), iter([2])])) == [1, 2]
    found = [torch.get_num_threads()]
    later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert found == [2, 2]


def test_a_thread_that_is_done_early_goes_on_with_the_next() -> None:
    """Three batches on two threads: the third is worked on while the first still is."""
    third = threading.Event()

    def slow() -> Iterator[str]:
        assert third.wait(20)
        yield "slow"

    def last() -> Iterator[str]:
        third.set()
        yield "last"

    assert list(DraftThreads().in_turn([slow(), iter(["quick"]), last()])) == ["slow", "quick", "last"]


def test_one_batch_has_all_cores() -> None:
    def batch() -> Iterator[int]:
        yield torch.get_num_threads()

    assert list(DraftThreads().in_turn([batch()])) == [2]
    assert list(DraftThreads().in_turn([])) == []


def test_what_a_batch_raises_is_raised() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise FloatingPointError("not finite")

    items = DraftThreads().in_turn([iter([1, 2]), broken()])
    assert [next(items), next(items), next(items)] == [1, 1, 2]
    with pytest.raises(FloatingPointError, match="not finite"):
        next(items)


def test_leaving_waits_for_what_is_being_drawn() -> None:
    ended = []

    def slow(name: str) -> Iterator[str]:
        for _ in range(10):
            threading.Event().wait(0.1)
            ended.append(name)
            yield name

    items = DraftThreads().in_turn([slow("a"), slow("b")])
    next(items)
    items.close()  # type: ignore[attr-defined]
    before = list(ended)
    threading.Event().wait(0.3)
    assert ended == before
