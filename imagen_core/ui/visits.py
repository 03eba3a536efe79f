"""Which runs belong to which visitor, so that Stop and a closed tab end theirs and nobody else's."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from imagen_core.sampling_thread import Closable


class Visit:
    """One press on Generate. It can be stopped from any thread, also before its run exists."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._run: Closable | None = None
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """Whether the visitor wanted it to end."""
        return self._stopped

    def attach(self, run: Closable) -> None:
        """Let `stop` end this run; one that was stopped before ends at once."""
        with self._lock:
            self._run = run
            stopped = self._stopped
        if stopped:
            run.close()

    def stop(self) -> None:
        """End the run within a block of its U-Net."""
        with self._lock:
            self._stopped = True
            run = self._run
        if run is not None:
            run.close()

    def end(self) -> None:
        """Close the run, finished or not."""
        with self._lock:
            run, self._run = self._run, None
        if run is not None:
            run.close()


class Visits:
    """The visits that go on, by the browser session that each belongs to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._visits: defaultdict[str, list[Visit]] = defaultdict(list)

    @contextmanager
    def open(self, session: str) -> Iterator[Visit]:
        """A visit of `session`, closed at the end whatever happens."""
        visit = Visit()
        with self._lock:
            self._visits[session].append(visit)
        try:
            yield visit
        finally:
            visit.end()
            with self._lock:
                self._visits[session].remove(visit)
                if not self._visits[session]:
                    del self._visits[session]

    def stop(self, session: str) -> bool:
        """Stop all that `session` has running; whether there was anything."""
        with self._lock:
            visits = list(self._visits.get(session, ()))
        for visit in visits:
            visit.stop()
        return bool(visits)
