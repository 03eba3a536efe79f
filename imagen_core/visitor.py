"""A visitor of the page without a browser: presses Generate over HTTP and notes when each message arrives.

It speaks the protocol of gradio's queue: one POST joins, one stream of server-sent events answers. Only the first
message of a run comes whole; each later one is the list of what differs from the one before.
"""

from __future__ import annotations

import json
import secrets
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, TypeAlias

_TIMEOUT = 600.0  # seconds without a word from the page


@dataclass(frozen=True)
class Arrival:
    """A message of the page: what kind it is, and the seconds since Generate was pressed."""

    kind: str
    seconds: float


# Presses Generate with these values and returns what arrives.
Press: TypeAlias = Callable[[Mapping[str, object]], list[Arrival]]


def new_session() -> str:
    """What the page knows a visitor by, as a browser makes it up when it opens the page."""
    return secrets.token_hex(8)


def press_generate(address: str, values: Mapping[str, object], session: str | None = None) -> Iterator[Arrival]:
    """Draw with the form's defaults but for `values`, named as on the page ("prompt", "seed"); yield what arrives.

    For a visitor whom the page has not met (`session` None) it makes a copy of its state first.

    Raises:
        RuntimeError: the page answered with an error instead of a picture.
    """
    address = address.rstrip("/")
    with urllib.request.urlopen(f"{address}/config", timeout=_TIMEOUT) as answer:
        config = json.load(answer)
    [event] = [event for event in config["dependencies"] if event["api_name"] == "draw"]
    controls = {control["id"]: control["props"] for control in config["components"]}
    inputs = [controls[number] for number in event["inputs"]]
    names = [(control.get("elem_id") or "").removeprefix("field-") for control in inputs]  # what is kept has no name
    data = [values.get(name, control.get("value")) for name, control in zip(names, inputs, strict=True)]
    session = session or new_session()
    body = json.dumps({"data": data, "fn_index": event["id"], "session_hash": session}).encode()
    join = urllib.request.Request(f"{address}/gradio_api/queue/join", body, {"Content-Type": "application/json"})
    began = time.perf_counter()
    with urllib.request.urlopen(join, timeout=_TIMEOUT):
        pass
    kind = ""
    stream = f"{address}/gradio_api/queue/data?session_hash={session}"
    with urllib.request.urlopen(stream, timeout=_TIMEOUT) as lines:
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            message = json.loads(line[5:])
            if message["msg"] == "process_generating":
                kind = _kind(message["output"]["data"][0], kind)
                yield Arrival(kind, time.perf_counter() - began)
            elif message["msg"] == "process_completed":
                if not message["success"] or kind != "finished":
                    raise RuntimeError(f"the page drew no picture; its last message was {kind!r}.")
                return


@contextmanager
def visitor(address: str, session: str) -> Iterator[Press]:
    """A visitor in a process of its own, as a browser is: the page's process has none of its work to do.

    Pressing raises what `press_generate` raises.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as there:
        yield lambda values: there.submit(_pressed, address, values, session).result()


def _pressed(address: str, values: Mapping[str, object], session: str) -> list[Arrival]:
    return list(press_generate(address, values, session))


def _kind(value: Any, before: str) -> str:
    """The kind of a message that is whole, or is the list of what it changes of the one before."""
    if isinstance(value, dict):
        return str(value["kind"])
    changed = [change[2] for change in value if change[:2] == ["replace", ["kind"]]]
    return str(changed[0]) if changed else before
