"""What the tab of sweeps does when a visitor acts: draw a sweep, open the one in a link, stop."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
from gradio.components import Component

from imagen_core.metadata import write
from imagen_core.recipe import RecipeError
from imagen_core.sampling_thread import Attach
from imagen_core.sweep import BATCH, Sweep
from imagen_core.sweep_axis import Axis, least_shares
from imagen_core.ui.drawing_together import Together, drawing_together
from imagen_core.ui.form import Form
from imagen_core.ui.messages import Message, of_no_run
from imagen_core.ui.model import Models
from imagen_core.ui.served_file import served_file
from imagen_core.ui.sweep_messages import SweepMessages
from imagen_core.ui.tab_runs import TabRuns
from imagen_core.zero_gpu import is_lent, lent

if TYPE_CHECKING:
    from PIL.Image import Image

NO_AXIS = "none"


@dataclass(frozen=True)
class AxisControls:
    """What is varied along an axis, and its values as text."""

    name: gr.Dropdown
    values: gr.Textbox


@dataclass(frozen=True)
class SweepControls:
    """The controls of both axes, and the view."""

    axes: tuple[AxisControls, AxisControls]
    view: gr.HTML

    @property
    def of_axes(self) -> list[Component]:
        """What varies, and its values."""
        return [control for axis in self.axes for control in (axis.name, axis.values)]

    def show(self, sweep: Sweep) -> dict[Component, object]:
        """The axes of an opened sweep, and the view that tells it; the rest of it belongs into the form."""
        told = of_no_run("note", text="Opened a sweep: press Draw.")
        shown: dict[Component, object] = {self.view: told}
        for place, axis in enumerate(self.axes):
            known = sweep.axes[place] if place < len(sweep.axes) else None
            shown |= {axis.name: known.name if known else NO_AXIS, axis.values: known.text if known else ""}
        return shown


class SweepHandlers:
    """The handlers of one page's sweep; what does not vary comes from the form of the page."""

    def __init__(self, models: Models, form: Form, controls: SweepControls, address: str) -> None:
        self._models = models
        self._form = form
        self.controls = controls
        self._address = address
        self._drawn = lent(drawing_together(models.offered))
        self._runs = TabRuns(SweepMessages)
        self.stop, self.leave = self._runs.stop, self._runs.leave

    def inputs(self) -> set[Component]:
        """What `draw` reads."""
        return {*self._form.controls.values(), *self.controls.of_axes}

    def draw(self, values: Mapping[Component, object], request: gr.Request) -> Iterator[Message]:
        """Draw the sweep cell by cell and yield its messages, at the end with the sheet."""
        yield from self._runs.of(request, partial(self._draw, values))

    def _draw(self, values: Mapping[Component, object], messages: SweepMessages, attach: Attach) -> Iterator[Message]:
        sweep = self._sweep(values)
        model = self._models.of(sweep.recipe)
        yield messages.begun(sweep, self._address)
        if not model.ready:
            yield messages.message("note", text="Loading the model: only the first sweep waits for it.")
        # Here, because a process forked for the drawing has what is loaded by then. Only the number is held, because a
        # model may be let go between two runs of a sweep.
        chunk = model.get().cascade.chunk
        pictures: dict[int, Image] = {}
        size = 1 if is_lent() else chunk or BATCH  # what is lent is counted in seconds
        for cells in (batches := sweep.batches(size)):
            messages.batch_begun()
            for step in self._drawn(Together(tuple(map(sweep.cell, cells))), attach):
                if step["kind"] == "failed" and len(cells) > 1:
                    batches.one_by_one([cell for cell in cells if cell not in pictures])
                    break
                if step["kind"] in ("failed", "stopped"):
                    yield messages.message(step["kind"], text=step.get("text"))
                    return
                if step["kind"] == "step" and (message := messages.step(cells[step["place"]], step)) is not None:
                    yield message
                if step["kind"] == "finished":
                    cell, picture = cells[step["place"]], step["files"][0]["picture"]
                    yield messages.cell_done(cell, picture, len(cells))
                    pictures[cell] = _small(picture, sweep)
        yield from _sheet(sweep, pictures, messages)
        yield messages.finished()

    def _sweep(self, values: Mapping[Component, object]) -> Sweep:
        axes: list[Axis] = []
        for axis in self.controls.axes:
            name, text = values[axis.name], values[axis.values]
            if not isinstance(name, str) or not isinstance(text, str):
                raise RecipeError("sweep", "must have a name and values in text: load the page again")
            if name != NO_AXIS:
                axes.append(Axis.of(name, text))
        controls = {self._form.controls[name]: share for name, share in least_shares(axes).items()}
        shares = {control: values[control] or share for control, share in controls.items()}
        return Sweep(replace(self._form.recipe({**values, **shares}), num_images=1), tuple(axes))


def _small(picture: Image, sweep: Sweep) -> Image:
    """A cell's picture as the sheet has it; nothing larger is held."""
    from imagen_core.contact_sheet import cell_size, fitted

    return fitted(picture, cell_size(sweep))


def _sheet(sweep: Sweep, pictures: Mapping[int, Image], messages: SweepMessages) -> Iterator[Message]:
    """The message with the finished sheet; its file is there until the next message is asked for."""
    from imagen_core.contact_sheet import to_png

    data = to_png(sweep, [pictures[index] for index in sorted(pictures)])
    with tempfile.TemporaryDirectory(prefix="imagen-") as folder:
        path = Path(folder) / f"sweep-{sweep.recipe.seed}.png"
        write(data, path)
        yield messages.message("sheet", file={"file": served_file(path), "name": path.name})
