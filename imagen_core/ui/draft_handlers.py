"""What the tab of drafts does when a visitor acts: draw a wall, promote some of it, stop."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from gradio.components import Component

from imagen_core.drafts import Drafts
from imagen_core.prompt_variations import variations
from imagen_core.recipe import MAX_COST, Recipe, RecipeError
from imagen_core.ui.draft_drawing import DraftOrder, drafting
from imagen_core.ui.draft_messages import DraftMessages, told
from imagen_core.ui.drawing import Order, drawing
from imagen_core.ui.errors import sentence
from imagen_core.ui.form import Form
from imagen_core.ui.messages import Message, Messages
from imagen_core.ui.model import Models
from imagen_core.ui.visits import Visits
from imagen_core.zero_gpu import lent

MAX_PROMOTED = 16  # at once


@dataclass(frozen=True)
class DraftControls:
    """The two controls of a wall beside the form's."""

    num_drafts: gr.Slider
    prompts: gr.Textbox


class DraftHandlers:
    """The handlers of one page's wall; what is drawn comes from the form of the page."""

    def __init__(self, models: Models, form: Form, controls: DraftControls) -> None:
        self._models = models
        self._form = form
        self._controls = controls
        self._visits = Visits()
        self._drafted = lent(drafting(models.offered))
        self._drawn = lent(drawing(models.offered))

    def inputs(self) -> set[Component]:
        """What `draw` reads."""
        return {*self._form.controls.values(), self._controls.num_drafts, self._controls.prompts}

    def draw(self, values: Mapping[Component, object], request: gr.Request) -> Iterator[Message]:
        """Draw a wall of the form's recipe and yield its messages."""
        messages = DraftMessages()
        with self._visits.open(request.session_hash or "") as visit:
            try:
                drafts = self._drafts(values)
                model = self._models.of(drafts.recipe)
                yield messages.begun(drafts)
                if not model.ready:
                    yield messages.message("note", text="Loading the model: only the first wall waits for it.")
                model.get()  # here, because a process that is forked for the drawing has what is loaded by then
                yield from self._drafted(DraftOrder(drafts, messages), visit.attach)
            except Exception as error:
                yield messages.message("failed", text=sentence(error))

    def promote(self, data: gr.EventData, request: gr.Request) -> Iterator[Message]:
        """Draw some drafts to the size that was asked for, each alone; `data` holds their links and the last stage."""
        messages = DraftMessages()
        with self._visits.open(request.session_hash or "") as visit:
            try:
                recipes = promoted_recipes(data._data)
                yield messages.message("promoting", pictures=[told(recipe) for recipe in recipes])
                for picture, recipe in enumerate(recipes):
                    self._models.of(recipe).get()
                    for step in self._drawn(Order(recipe, Messages()), visit.attach):
                        if step["kind"] in ("failed", "stopped"):
                            yield messages.message(step["kind"], text=step.get("text"))
                            return
                        yield from _promoted(picture, step, messages)
                yield messages.finished()
            except Exception as error:
                yield messages.message("failed", text=sentence(error))

    def stop(self, request: gr.Request) -> Message:
        """Stop what this visitor has running here."""
        self._visits.stop(request.session_hash or "")
        return DraftMessages().message("stopped", run="")

    def leave(self, request: gr.Request) -> None:
        """The visitor's tab was closed."""
        self._visits.stop(request.session_hash or "")

    def _drafts(self, values: Mapping[Component, object]) -> Drafts:
        recipe = self._form.recipe(values)
        text, count = values[self._controls.prompts], values[self._controls.num_drafts]
        if not isinstance(text, str) or not isinstance(count, int):
            raise RecipeError("num_drafts", "must be a whole number from 1 to 64, and prompts must be text")
        written = text.strip() or recipe.prompt.replace("\n", " ")
        return Drafts(recipe, count, variations(written))


def _promoted(picture: int, step: Message, messages: DraftMessages) -> Iterator[Message]:
    """What the view is told of a message of the run that draws a promoted picture."""
    if step["kind"] == "step":
        yield messages.promoted_step(picture, step)
    elif step["kind"] == "finished":
        [file] = step["files"]
        with tempfile.TemporaryDirectory(prefix="imagen-") as folder:
            path = Path(folder) / file["name"]
            path.write_bytes(file["png"])
            data = {"path": str(path), "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}
            finished = {"file": data, "name": path.name, "link": file["link"]}
            yield messages.promoted(picture, step["size"], finished)


def promoted_recipes(asked: object) -> list[Recipe]:
    """The recipes in what a browser sent: {"links": [link, ...], "last_stage": "sr256"}. Raises `RecipeError`."""
    links = asked.get("links") if isinstance(asked, Mapping) else None
    if not isinstance(asked, Mapping) or not isinstance(links, list) or not 1 <= len(links) <= MAX_PROMOTED:
        raise RecipeError("links", f"must be 1 to {MAX_PROMOTED} of drafts: choose fewer")
    if not all(isinstance(link, str) for link in links):
        raise RecipeError("links", "must be text")
    stage = {} if asked.get("last_stage") is None else {"last_stage": asked["last_stage"]}
    recipes = [Recipe.from_link(link).updated({"num_images": 1} | stage) for link in links]
    if sum(recipe.cost for recipe in recipes) > MAX_COST:
        raise RecipeError("links", f"cost more than {MAX_COST:,} steps of work together: choose fewer")
    return recipes
