"""What is drawn for the visitors of a tab: every run ends in a message, and is ended by its visitor alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

import gradio as gr

from imagen_core.sampling_thread import Attach
from imagen_core.ui.errors import sentence
from imagen_core.ui.messages import Message, of_no_run
from imagen_core.ui.visits import Visits


class Telling(Protocol):
    """The messages of one run, as its tab's view reads them."""

    def message(self, kind: str, **values: object) -> Message:
        """One of them."""
        ...


Told = TypeVar("Told", bound=Telling)


class TabRuns(Generic[Told]):
    """The runs of one tab by visitor; each tab has its own, so that what another one draws goes on."""

    def __init__(self, messages: Callable[[], Told]) -> None:
        """Take what makes the messages of a run."""
        self._messages = messages
        self._visits = Visits()

    def of(self, request: gr.Request, drawn: Callable[[Told, Attach], Iterator[Message]]) -> Iterator[Message]:
        """The messages of a run of this visitor; where it raises, the last of them is "failed".

        drawn: yields messages made with its first argument, and hands what ends it to the second.
        """
        messages = self._messages()
        with self._visits.open(request.session_hash or "") as visit:
            try:
                yield from drawn(messages, visit.attach)
            except Exception as error:
                yield messages.message("failed", text=sentence(error))

    def stop(self, request: gr.Request) -> Message:
        """Stop what this visitor has running here."""
        self._visits.stop(request.session_hash or "")
        return of_no_run("stopped")

    def leave(self, request: gr.Request) -> None:
        """The visitor's tab was closed."""
        self._visits.stop(request.session_hash or "")
