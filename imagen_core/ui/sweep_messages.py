"""A sweep's events as small messages: the newest step of the cells that are drawn."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from imagen_core.recipe import SIZES
from imagen_core.sweep import Sweep
from imagen_core.ui.messages import INTERVAL, Message, Messages, data_uri, png

if TYPE_CHECKING:
    from PIL.Image import Image

_EXACT, _SHOWN, _QUALITY = 64, 256, 85  # pixels a side of a cell's picture on the page, and quality of a JPEG


class SweepMessages:
    """The messages of one sweep, in their order."""

    def __init__(self) -> None:
        self._messages = Messages()
        self._sent_at = 0.0
        self._began = self._cells_began = time.monotonic()

    def message(self, kind: str, **values: object) -> Message:
        """One message of this run."""
        return self._messages.message(kind, **values)

    def begun(self, sweep: Sweep, address: str) -> Message:
        """The first: the axes, the link of every cell along the rows, and that of the whole."""
        axes = [{"name": axis.name, "labels": list(axis.labels)} for axis in sweep.axes]
        links = [sweep.cell(index).to_link() for index in range(sweep.columns * sweep.rows)]
        return self.message("begun", axes=axes, links=links, link=sweep.to_link(), page=address)

    def step(self, cells: Sequence[int], step: Message) -> Message | None:
        """Previews of cells drawn together, from the "step" of their run, at least INTERVAL after those before.

        None where it is too early, or where the step has no picture, as the last one of a run that is stopped may.
        """
        if "x_0" not in step or time.monotonic() - self._sent_at < INTERVAL:
            return None
        self._sent_at = time.monotonic()
        values = {"size": SIZES[step["stage"]], "step": step["step"], "num_steps": step["num_steps"]}
        return self.message("cell_steps", cells=list(cells), x_0=step["x_0"], **values)

    def cells_done(self, cells: Sequence[int], pictures: Sequence[Image]) -> Iterator[Message]:
        """Cells drawn together are finished; each took its share of their time."""
        seconds, self._cells_began = time.monotonic() - self._cells_began, time.monotonic()
        for cell, picture in zip(cells, pictures, strict=True):
            yield self.message("cell_done", cell=cell, x_0=_shown(picture), seconds=seconds / len(cells))

    def finished(self) -> Message:
        """The last."""
        return self.message("finished", seconds=time.monotonic() - self._began)


def _shown(picture: Image) -> str:
    """A finished picture as the cell shows it: exact where the page enlarges its pixels."""
    if picture.width <= _EXACT:
        return data_uri("png", png(picture))
    data = io.BytesIO()
    picture.resize((_SHOWN, _SHOWN)).save(data, format="JPEG", quality=_QUALITY)
    return data_uri("jpeg", data.getvalue())
