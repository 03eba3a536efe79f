"""The memory of a page has room for one large model: before another is loaded, the one before it is let go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Protocol

from imagen_core.sampling_thread import done_there
from imagen_core.zero_gpu import is_lent


class Tenant(Protocol):
    """A large model."""

    def let_go(self) -> None:
        """Hold nothing in memory any more."""


class Room:
    """Who has it, among the large models of one page."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tenant: Tenant | None = None

    @property
    def busy(self) -> bool:
        """Whether a model is loading in it."""
        return self._lock.locked()

    def is_another_s(self, tenant: Tenant) -> bool:
        """Whether another one than `tenant` has it."""
        return self._tenant is not None and self._tenant is not tenant

    @contextmanager
    def given_to(self, tenant: Tenant) -> Iterator[None]:
        """Let `tenant` load inside; the one that had the room is let go first, even where its own loading failed.

        That is done in the sampling thread, so nobody draws with it at that moment: a run that goes on comes to its end
        before. Where the accelerator is lent, nobody draws in this process, or it is a forked one that draws one thing
        at a time; and there the sampling thread is missing and a lock may be held for good.
        """
        lent = is_lent()
        with nullcontext() if lent else self._lock:
            before, self._tenant = self._tenant, tenant
            if before is not None and before is not tenant:
                if lent:
                    before.let_go()
                else:
                    done_there(before.let_go)
            yield
