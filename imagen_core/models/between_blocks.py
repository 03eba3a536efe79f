"""A place to stop inside a call of one of diffusers' U-Nets: before each of its blocks of layers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class BetweenBlocks:
    """What is called before each block of a U-Net; of several threads that call it each has a callback of its own."""

    def __init__(self, unet: Any) -> None:
        """Take a `UNet2DConditionModel`; it keeps the hooks."""
        self._local = threading.local()
        for block in (*unet.down_blocks, unet.mid_block, *unet.up_blocks):
            block.register_forward_pre_hook(self._call)

    @contextmanager
    def calling(self, callback: Callable[[], None] | None) -> Iterator[None]:
        """Inside, and in this thread alone, call `callback` before each block; what it raises ends the U-Net's call."""
        self._local.callback = callback
        try:
            yield
        finally:
            self._local.callback = None

    def _call(self, *_: object) -> None:
        callback: Callable[[], None] | None = getattr(self._local, "callback", None)
        if callback is not None:
            callback()
