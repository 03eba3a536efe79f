"""What the page does when a visitor acts: every one makes a recipe, runs it, and turns its events into messages."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
from gradio.components import Component

from imagen_core.events import StageError, StageFinished
from imagen_core.metadata import MetadataError, read_recipe, save_png
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.ui.errors import sentence
from imagen_core.ui.form import Form
from imagen_core.ui.messages import Message, Messages
from imagen_core.ui.model import BackgroundModel
from imagen_core.ui.opening import REPLAY_COST, recipe_in_address
from imagen_core.ui.visits import Visits

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Outputs:
    """The components that handlers change beside the form."""

    view: gr.HTML
    lock: gr.Checkbox


class Handlers:
    """The handlers of one page; `address` is where it is known outside, "" where that is what the browser shows."""

    def __init__(self, model: BackgroundModel, form: Form, outputs: Outputs, address: str) -> None:
        self._model = model
        self._form = form
        self._outputs = outputs
        self._address = address
        self._visits = Visits()

    def draw(self, values: Mapping[Component, object], request: gr.Request) -> Iterator[Message]:
        """Run the form's recipe and yield its messages; ends early where the visitor stops it or leaves."""
        messages = Messages()
        stage = None
        with self._visits.open(_session(request)) as visit:
            try:
                recipe = self._form.recipe(values)
                yield messages.begun(recipe)
                if not self._model.ready:
                    yield messages.message("note", text="Loading the model: only the first picture waits for it.")
                run = self._model.get().stream(recipe)
                visit.attach(run)
                last = None
                for event in run:
                    stage = getattr(event, "stage", stage)
                    last = event if isinstance(event, StageFinished) else last
                    message = messages.event(event)
                    if message is not None:
                        yield message
                if visit.stopped or last is None:
                    yield messages.message("stopped")
                    return
                with tempfile.TemporaryDirectory(prefix="imagen-") as folder:
                    files = self._files(last, recipe, Path(folder))
                    yield messages.finished(last.stage, files)
            except Exception as error:
                field = error.field if isinstance(error, RecipeError) else ""
                broken = error.stage if isinstance(error, StageError) else stage
                yield messages.message("failed", text=sentence(error), stage=broken, field=field)

    def stop(self, request: gr.Request) -> Message:
        """Stop what this visitor has running."""
        self._visits.stop(_session(request))
        return Messages().message("stopped", run="")

    def leave(self, request: gr.Request) -> None:
        """The visitor's tab was closed."""
        self._visits.stop(_session(request))

    def open_link(self, request: gr.Request) -> dict[Component, object]:
        """Fill the form with the recipe in the page's address, if there is one, and have a small one drawn at once."""
        try:
            recipe = recipe_in_address(request.query_params.multi_items())
        except RecipeError as error:
            return self._say("refused", text=f"This link cannot be opened: {error}")
        if recipe is None:
            return {self._outputs.view: gr.skip()}
        if recipe.model != self._form.default.model:
            return self._say("refused", text=self._foreign(recipe))
        replay = recipe.cost <= REPLAY_COST
        long = f"Opened a link to a long run ({recipe.cost:,} steps): press Generate to begin."
        text = "Opened a link." if replay else long
        return self._shown(recipe) | self._say("opened", text=text, replay=replay)

    def open_picture(self, path: str | None) -> dict[Component, object]:
        """Fill the form with the recipe that a dropped PNG carries."""
        if path is None:
            return {self._outputs.view: gr.skip()}
        try:
            recipe = read_recipe(Path(path))
        except MetadataError as error:
            return self._say("refused", text=str(error))
        if recipe.model != self._form.default.model:
            return self._say("refused", text=self._foreign(recipe))
        text = "Opened the picture's recipe: press Generate to draw it again."
        return self._shown(recipe) | self._say("opened", text=text, replay=False)

    def _foreign(self, recipe: Recipe) -> str:
        """The sentence about a recipe that this page's model cannot draw."""
        return f"That recipe is for the model {recipe.model}, and this page draws with {self._form.default.model}."

    def _shown(self, recipe: Recipe) -> dict[Component, object]:
        """The form shows `recipe`, and its seed is kept."""
        return self._form.show(recipe) | {self._outputs.lock: True}

    def _say(self, kind: str, **values: object) -> dict[Component, object]:
        return {self._outputs.view: Messages().message(kind, **values) | {"run": ""}}

    def _files(self, last: StageFinished, recipe: Recipe, folder: Path) -> list[Message]:
        """Write the finished pictures; gradio copies them to where it serves and later deletes them."""
        from imagen_core.images import to_pil

        return [self._file(image, recipe.for_image(i), folder) for i, image in enumerate(to_pil(last.x_0))]

    def _file(self, image: Image, recipe: Recipe, folder: Path) -> Message:
        path = folder / file_name(recipe)
        save_png(image, recipe, path)
        data = {"path": str(path), "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}
        link = {"link": recipe.to_link(), "page": self._address}
        return {"file": data, "name": path.name, "seed": recipe.seed} | link


def file_name(recipe: Recipe) -> str:
    """A name for the picture of a one-image recipe: some of its prompt, and its seed."""
    words = re.sub(r"[^a-z0-9]+", "-", recipe.prompt.lower())[:48].strip("-")
    return f"{words or 'picture'}-{recipe.seed}.png"


def _session(request: gr.Request) -> str:
    return request.session_hash or ""
