"""A sweep's events as small messages: the newest step of the cells that are drawn."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

from imagen_core.recipe import SIZES
from imagen_core.sweep import Sweep
from imagen_core.ui.drawing_together import CELL
from imagen_core.ui.messages import INTERVAL, Message, Messages, data_uri, png

if TYPE_CHECKING:
    from PIL.Image import Image

_EXACT, _QUALITY = 64, 85  # pixels a side that a cell shows as they are, and quality of a JPEG


class SweepMessages:
    """The messages of one sweep, in their order."""

    def __init__(self) -> None:
        self._messages = Messages()
        self._sent_at = 0.0
        self._newest: dict[int, Message] = {}  # step of a cell that was not told yet
        self._began = self._batch_began = time.monotonic()

    def message(self, kind: str, **values: object) -> Message:
        """One message of this run."""
        return self._messages.message(kind, **values)

    def begun(self, sweep: Sweep, address: str) -> Message:
        """The first: the axes, the link of every cell along the rows, and that of the whole."""
        axes = [{"name": axis.name, "labels": list(axis.labels)} for axis in sweep.axes]
        links = [sweep.cell(index).to_link() for index in range(sweep.columns * sweep.rows)]
        return self.message("begun", axes=axes, links=links, link=sweep.to_link(), page=address)

    def batch_begun(self) -> None:
        """Cells that are drawn together begin."""
        self._batch_began = time.monotonic()

    def step(self, cell: int, step: Message) -> Message | None:
        """Previews of cells, from the "step" of their runs, at least INTERVAL after those before.

        It is the newest of each cell that has a new one: cells drawn together come one after the other. None where it
        is too early, or where no step has a picture, as the last one of a run that is stopped may.
        """
        if "x_0" in step:
            values = {"size": SIZES[step["stage"]], "step": step["step"], "num_steps": step["num_steps"]}
            self._newest[cell] = {"cell": cell, "x_0": step["x_0"][0], **values}
        if not self._newest or time.monotonic() - self._sent_at < INTERVAL:
            return None
        self._sent_at = time.monotonic()
        steps, self._newest = list(self._newest.values()), {}
        return self.message("cell_steps", steps=steps)

    def cell_done(self, cell: int, picture: Image, together: int) -> Message:
        """A cell is finished; of the time since its batch began it took its share, with so many drawn together."""
        self._newest.pop(cell, None)
        seconds = (time.monotonic() - self._batch_began) / together
        return self.message("cell_done", cell=cell, x_0=_shown(picture), seconds=seconds)

    def finished(self) -> Message:
        """The last."""
        return self.message("finished", seconds=time.monotonic() - self._began)


def _shown(picture: Image) -> str:
    """A finished picture as the cell shows it: exact where the page enlarges its pixels."""
    if picture.width <= _EXACT:
        return data_uri("png", png(picture))
    data = io.BytesIO()
    picture.resize((CELL, CELL)).save(data, format="JPEG", quality=_QUALITY)
    return data_uri("jpeg", data.getvalue())
