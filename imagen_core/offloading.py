"""One network at a time on a device that has not room for all of them."""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import nn


class Turns:
    """Networks that take turns on a device: the one that is called comes, the one that was there goes.

    A network stays until another is called, so that a stage's steps move nothing. While one computes, a call of another
    from another thread waits.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._there: nn.Module | None = None
        self._lock = threading.RLock()

    def add(self, network: nn.Module) -> None:
        """Let a network, which is on the processor, take turns with those added before."""
        network.register_forward_pre_hook(self._come, with_kwargs=True)
        network.register_forward_hook(self._done, always_call=True)

    def clear(self) -> None:
        """Send the network that is on the device away."""
        with self._lock:
            if self._there is not None:
                self._there.to("cpu")
                self._there = None

    def _come(self, network: nn.Module, arguments: Any, named: Any) -> tuple[Any, Any]:
        from accelerate.utils import send_to_device  # here, because importing it takes a second

        self._lock.acquire()  # until `_done`, which torch calls whatever goes wrong here
        if self._there is not network:
            self.clear()
            try:
                network.to(self.device)
            except BaseException:
                network.to("cpu")  # what of it had room: the next call begins anew
                raise
            self._there = network
            if self.device.type == "cuda":
                torch.cuda.empty_cache()  # what the network before held is free for this one's work
        return send_to_device(arguments, self.device), send_to_device(named, self.device)

    def _done(self, *_: object) -> None:
        self._lock.release()
