"""Pictures of a wall or a sweep that are drawn again larger, each alone and exactly."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import gradio as gr

from imagen_core.recipe import MAX_COST, Recipe, RecipeError
from imagen_core.sampling_thread import Attach
from imagen_core.ui.draft_messages import DraftMessages, told
from imagen_core.ui.drawing import Order, drawing
from imagen_core.ui.messages import Message, Messages, Shown
from imagen_core.ui.model import Models
from imagen_core.ui.served_file import served_file
from imagen_core.ui.tab_runs import TabRuns
from imagen_core.zero_gpu import lent

MAX_PROMOTED = 16  # at once


class Promoting:
    """The handlers of one tab; `stop` and `leave` end what its visitor promotes."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._runs = TabRuns(DraftMessages)
        self.stop, self.leave = self._runs.stop, self._runs.leave
        self._drawn = lent(drawing(models.offered))

    def promote(self, data: gr.EventData, request: gr.Request) -> Iterator[Message]:
        """Draw some of them to the size that was asked for, each alone; `data` holds their links and the last stage."""
        yield from self._runs.of(request, partial(self._promote, data._data))

    def _promote(self, asked: object, messages: DraftMessages, attach: Attach) -> Iterator[Message]:
        recipes = promoted_recipes(asked)
        yield messages.message("promoting", pictures=[told(recipe) for recipe in recipes])
        for picture, recipe in enumerate(recipes):
            self._models.of(recipe).get()
            for step in self._drawn(Order(recipe, Messages(Shown(noisy=False))), attach):
                if step["kind"] in ("failed", "stopped"):
                    yield messages.message(step["kind"], text=step.get("text"))
                    return
                yield from _promoted(picture, step, messages)
        yield messages.finished()


def _promoted(picture: int, step: Message, messages: DraftMessages) -> Iterator[Message]:
    """What the view is told of a message of the run that draws a promoted picture."""
    if step["kind"] == "step" and "x_0" in step:  # of a run that is stopped the last step may have no picture
        yield messages.promoted_step(picture, step)
    elif step["kind"] == "finished":
        [file] = step["files"]
        with tempfile.TemporaryDirectory(prefix="imagen-") as folder:
            path = Path(folder) / file["name"]
            path.write_bytes(file["png"])
            finished = {"file": served_file(path), "name": path.name, "link": file["link"]}
            yield messages.promoted(picture, step["size"], finished)


def promoted_recipes(asked: object) -> list[Recipe]:
    """The recipes in what a browser sent: {"links": [link, ...], "last_stage": "sr256"}. Raises `RecipeError`."""
    links = asked.get("links") if isinstance(asked, Mapping) else None
    if not isinstance(asked, Mapping) or not isinstance(links, list) or not 1 <= len(links) <= MAX_PROMOTED:
        raise RecipeError("promoting", f"takes 1 to {MAX_PROMOTED} pictures at once: choose fewer")
    if not all(isinstance(link, str) for link in links):
        raise RecipeError("links", "must be text")
    stage = {} if asked.get("last_stage") is None else {"last_stage": asked["last_stage"]}
    recipes = [Recipe.from_link(link).updated({"num_images": 1} | stage) for link in links]
    if sum(recipe.cost for recipe in recipes) > MAX_COST:
        raise RecipeError("promoting", f"takes more than {MAX_COST:,} steps of work: choose fewer pictures")
    return recipes
