"""Networks that take turns on a device.

Where there is no accelerator, the device is one on which numbers have no values ("meta"): a network can go there, and
what it computes has a shape alone; coming back from it is what only a real device shows.
"""

from __future__ import annotations

import threading
import warnings

import pytest
import torch
from torch import Tensor, nn

from imagen_core.offloading import Turns

CUDA = torch.cuda.is_available()


def test_a_network_and_what_it_is_given_come_to_the_device() -> None:
    network, given = nn.Linear(3, 2), torch.ones(1, 3)
    Turns(torch.device("meta")).add(network)
    assert network(given).device.type == "meta"
    assert network.weight.device.type == "meta"
    assert given.device.type == "cpu"


class Failing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("broken")


def test_a_network_that_fails_does_not_keep_the_others_waiting() -> None:
    turns, failing, done = Turns(torch.device("cpu")), Failing(), threading.Event()
    network = nn.Linear(3, 2)
    turns.add(failing)
    turns.add(network)
    with pytest.raises(RuntimeError, match="broken"):
        failing(torch.ones(1))
    thread = threading.Thread(target=lambda: (network(torch.ones(1, 3)), done.set()))
    thread.start()
    thread.join(10)
    assert done.is_set()


class Homesick(nn.Linear):
    """Does not come to the device at its first call, as where memory runs out."""

    calls = 0

    def to(self, *arguments: object, **named: object) -> Homesick:
        if arguments == (torch.device("meta"),):
            self.calls += 1
            if self.calls == 1:
                raise torch.OutOfMemoryError("no room")
        return super().to(*arguments, **named)  # type: ignore[no-any-return, call-overload]


def test_a_network_that_had_no_room_is_moved_again_at_its_next_call() -> None:
    turns, network, other = Turns(torch.device("meta")), Homesick(3, 2), nn.Linear(3, 2)
    turns.add(network)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch warns where a lock is given back twice
        with pytest.raises(torch.OutOfMemoryError):
            network(torch.ones(1, 3))
    assert network.weight.device.type == "cpu"
    assert network(torch.ones(1, 3)).device.type == "meta"
    assert network.weight.device.type == "meta"
    turns.add(other)
    thread = threading.Thread(target=lambda: turns._lock.acquire(timeout=10) and turns._lock.release())
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


def test_while_one_computes_another_thread_waits() -> None:
    turns, inside, go = Turns(torch.device("cpu")), threading.Event(), threading.Event()

    class Slow(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            inside.set()
            go.wait(10)
            return x

    slow, quick, order = Slow(), nn.Identity(), []
    turns.add(slow)
    turns.add(quick)
    first = threading.Thread(target=lambda: (slow(torch.ones(1)), order.append("slow")))
    second = threading.Thread(target=lambda: (quick(torch.ones(1)), order.append("quick")))
    first.start()
    assert inside.wait(10)
    second.start()
    second.join(0.2)
    assert second.is_alive()
    go.set()
    first.join(10)
    second.join(10)
    assert sorted(order) == ["quick", "slow"]


@pytest.mark.skipif(not CUDA, reason="needs a CUDA device")
def test_one_network_at_a_time_is_on_the_device() -> None:
    turns = Turns(torch.device("cuda"))
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    turns.add(first)
    turns.add(second)
    expected = first(torch.ones(1, 3)).cpu()
    second(torch.ones(1, 3))
    assert (first.weight.device.type, second.weight.device.type) == ("cpu", "cuda")
    assert torch.equal(first(torch.ones(1, 3)).cpu(), expected)
    assert (first.weight.device.type, second.weight.device.type) == ("cuda", "cpu")
    turns.clear()
    assert first.weight.device.type == "cpu"
