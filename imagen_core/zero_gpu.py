"""Drawing on an accelerator that is lent for a while, as Spaces with ZeroGPU do it; elsewhere in this process.

There a decorated generator function runs in a thread of a forked process that has the accelerator, for at most the
duration that it asked for. That process may serve several calls. What it is given and what it yields is pickled; what
it yields is queued without waiting for who reads it; and of what it raises only the name of the class comes back. So
what is lent yields bytes and texts, no more of them than a page shows, and tells its failures itself. Pictures that a
cascade keeps of an earlier run are those of that process, and go with it.
"""

from __future__ import annotations

import math
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from imagen_core.presets import PRESETS
from imagen_core.recipe import Recipe
from imagen_core.sampling_thread import Attach, Closable, Work, ahead

MAX_SECONDS = 240
# Allowances, not measurements: seconds before the first step, and of a guided step of one image by stage.
_START = 10.0
_LARGE: Mapping[str, float] = MappingProxyType({"base": 0.25, "sr256": 0.3, "sr1024": 0.3})
_SMALL: Mapping[str, float] = MappingProxyType({"base": 0.05, "sr256": 0.05, "sr1024": 0.1})
_MOVING = 20.0  # to load a large model's networks onto the device, T5 among them
_POLL = 0.03  # seconds between two looks at whether a run shall end


class Order(Protocol):
    """What to draw, and whatever else the work wants to know; it can be pickled."""

    @property
    def recipe(self) -> Recipe:
        """What decides how long the accelerator is asked for."""


Ordered = TypeVar("Ordered", bound=Order)
Item = TypeVar("Item")


def is_lent() -> bool:
    """Whether this is a Space that lends its accelerator."""
    return find_spec("spaces") is not None


def prepare() -> None:
    """Import the package that lends, where it is: it must come before torch and gradio, for it changes both."""
    if is_lent():
        import_module("spaces")


def seconds(recipe: Recipe) -> int:
    """How long the accelerator is asked for, in seconds: generous, because a run that is longer is cut off."""
    preset = PRESETS.get(recipe.model)
    large = preset is None or preset.fetched
    each = _LARGE if large else _SMALL
    steps = sum(recipe.planned_steps(name) * each[name] for name in recipe.stages())
    return min(MAX_SECONDS, math.ceil(_START + large * _MOVING + recipe.num_images * steps))


def lent(work: Work[Ordered, Item]) -> Work[Ordered, Item]:
    """`work` as it is to be called; make it once, before the page is served.

    It runs in the one sampling thread, ahead of who reads; where the accelerator is lent, in a process that has it, for
    at most `seconds` of its recipe. What it attaches is closed there when what is attached here is closed.
    """
    if not is_lent():
        return ahead(work)

    def there(order: Ordered, flag: str) -> Iterator[Item]:
        with _closing_at(Path(flag)) as attach:
            yield from work(order, attach)

    spaces: Any = import_module("spaces")
    borrowed = spaces.GPU(duration=lambda order, _: seconds(order.recipe))(there)

    def here(order: Ordered, attach: Attach) -> Iterator[Item]:
        # A stop may put its file there while the folder is removed.
        with tempfile.TemporaryDirectory(prefix="imagen-", ignore_cleanup_errors=True) as folder:
            flag = Path(folder) / "stop"
            attach(_Flag(flag))
            items = borrowed(order, str(flag))
            try:
                for item in items:  # noqa: UP028 - "yield from" would close there before anything is told
                    yield item
            except GeneratorExit:  # who reads has left: without the flag the run goes on until its next message
                _Flag(flag).close()
                items.close()
                raise

    return here


@dataclass(frozen=True)
class _Flag:
    """A file that says to another process that its run shall end; that process may be older than the run."""

    path: Path

    def close(self) -> None:
        with suppress(FileNotFoundError):  # the folder goes when the run is over, which may be at this moment
            self.path.touch()


@contextmanager
def _closing_at(flag: Path) -> Iterator[Attach]:
    """What is attached is closed as soon as the file `flag` is there, or its folder is not: then nobody reads."""
    attached: list[Closable] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL):
            if flag.exists() or not flag.parent.exists():
                for run in list(attached):
                    run.close()

    watcher = threading.Thread(target=watch, name="watch for a stop", daemon=True)
    watcher.start()
    try:
        yield attached.append
    finally:
        done.set()
        watcher.join()
