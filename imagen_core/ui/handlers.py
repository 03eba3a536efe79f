"""What the page does when a visitor acts: every one makes a recipe, runs it, and yields its messages."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import gradio as gr
from gradio.components import Component

from imagen_core.check import Check, Shared
from imagen_core.presets import PRESETS, Preset
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.ui.comparing import comparing, comparison_asked
from imagen_core.ui.drawing import Order, drawing, failure
from imagen_core.ui.form import Form
from imagen_core.ui.messages import Message, Messages, of_no_run
from imagen_core.ui.model import Models
from imagen_core.ui.openings import Outputs
from imagen_core.ui.served_file import served_file
from imagen_core.ui.visits import Visits
from imagen_core.zero_gpu import lent


class Handlers:
    """The handlers of one page; `address` is where it is known outside, "" where that is what the browser shows."""

    def __init__(self, models: Models, form: Form, outputs: Outputs, address: str) -> None:
        self._models = models
        self._form = form
        self._outputs = outputs
        self._address = address
        self._visits = Visits()
        self._comparisons = Visits()
        self._drawn = lent(drawing(models.offered))
        self._compared = lent(comparing(models.offered))

    def draw(self, values: Mapping[Component, object], request: gr.Request) -> Iterator[Message]:
        """Run the form's recipe and yield its messages; ends early where the visitor stops it or leaves."""
        messages = Messages()
        with self._visits.open(_session(request)) as visit:
            try:
                recipe = self._form.recipe(values)
                yield messages.begun(recipe)
                model = self._models.of(recipe)
                if not model.ready:
                    loading = _loading(recipe.model)
                    yield messages.message("note", text=loading)
                    for told in model.load():
                        yield messages.message("note", text=f"{loading} {told}")
                model.get()  # here, because a process that is forked for the drawing has what is loaded by then
                shared, attention = values.get(self._outputs.shared), values.get(self._outputs.attention) is True
                anew = values.get(self._outputs.anew) == recipe.to_link()
                for message in self._drawn(Order(recipe, messages, attention, anew), visit.attach):
                    if message["kind"] != "finished":
                        yield message
                        continue
                    with tempfile.TemporaryDirectory(prefix="imagen-") as folder:
                        files = [
                            self._file(file, Path(folder)) | {"verdict": _verdict(shared, recipe.for_image(i), file)}
                            for i, file in enumerate(message["files"])
                        ]
                        yield message | {"files": files}
            except Exception as error:
                yield failure(messages, error)

    def compare(self, request: gr.Request, event: gr.EventData) -> Iterator[Message]:
        """Show the steps of a run, which the browser names with its link, after each kind of thresholding."""
        data = event._data if isinstance(event._data, dict) else {}
        run = {"run": str(data.get("run", ""))[:32]}
        messages = Messages()
        with self._comparisons.open(_session(request)) as visit:
            try:
                asked = comparison_asked(data, messages)
                self._models.of(asked.recipe).get()
                for message in self._compared(asked, visit.attach):
                    yield message | run
            except Exception as error:
                yield messages.message("thresholds_failed", text=failure(messages, error)["text"]) | run

    def stop(self, request: gr.Request) -> Message:
        """Stop what this visitor has running."""
        self._visits.stop(_session(request))
        return of_no_run("stopped")

    def stop_comparing(self, request: gr.Request) -> None:
        """Stop the comparison that this visitor has running: something else is to be drawn."""
        self._comparisons.stop(_session(request))

    def leave(self, request: gr.Request) -> None:
        """The visitor's tab was closed."""
        self._visits.stop(_session(request))
        self._comparisons.stop(_session(request))

    def choose_model(self, values: Mapping[Component, object]) -> dict[Component, object]:
        """Another model was chosen: the form shows the settings that it is at its best with, and keeps the words."""
        try:
            chosen = self._form.recipe(values)
        except RecipeError as error:
            return self._say("refused", text=str(error))
        preset = PRESETS.get(chosen.model)
        start = self._form.default if preset is None else preset.recipe  # a folder's: what the page began with
        kept = {"prompt": chosen.prompt, "negative_prompt": chosen.negative_prompt, "seed": chosen.seed}
        shown = self._form.show(start.updated(kept))
        return shown | self._say("opened", text=_terms(preset), replay=False)

    def tell_memory(self, values: Mapping[Component, object]) -> dict[Component, object]:
        """Add what the chosen model will take of the memory, which may take seconds to find out; nothing for little."""
        try:
            chosen = self._form.recipe(values)
        except RecipeError:
            return {}
        memory = self._models.of(chosen).memory()
        return self._say("note", text=f"{_terms(PRESETS.get(chosen.model))} {memory}") if memory else {}

    def _say(self, kind: str, **values: object) -> dict[Component, object]:
        return {self._outputs.view: of_no_run(kind, **values)}

    def _file(self, file: Message, folder: Path) -> Message:
        """A finished picture as a file."""
        path = folder / file["name"]
        path.write_bytes(file["png"])
        told = {name: value for name, value in file.items() if name != "png"}
        return told | {"file": served_file(path), "page": self._address}


def _verdict(shared: object, recipe: Recipe, file: Message) -> str:
    """How a picture compares with that whose recipe was opened; "" where none was, or another one."""
    check = Check.from_text(file["check"])
    return shared.verdict(recipe, check) if isinstance(shared, Shared) and check is not None else ""


def _loading(model: str) -> str:
    """What a visitor is told while a model loads."""
    preset = PRESETS.get(model)
    if preset is None or not preset.fetched:
        return "Loading the model: only the first picture waits for it."
    return f"Loading {preset.title}, {preset.size_mb / 1000:.0f} GB, from this machine or the Hub. {preset.licence}."


def _terms(preset: Preset | None) -> str:
    """What choosing a model means, in a sentence or two."""
    if preset is None:
        return "The weights that the page was started with."
    if not preset.fetched:
        return f"{preset.title}: here already, drawn at once. Weights: {preset.licence}."
    size = f"{preset.size_mb / 1000:.0f} GB, fetched at the first run"
    licence = f"{preset.licence}: {preset.licence_url}"
    return f"{preset.title}: {size}; it wants a GPU. Using it means accepting its licence, {licence}"


def _session(request: gr.Request) -> str:
    return request.session_hash or ""
