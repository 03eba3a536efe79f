"""What the tab of drafts does when a visitor acts: draw a wall, stop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import gradio as gr
from gradio.components import Component

from imagen_core.drafts import Drafts
from imagen_core.prompt_variations import variations
from imagen_core.recipe import RecipeError
from imagen_core.sampling_thread import Attach
from imagen_core.ui.draft_drawing import DraftOrder, drafting
from imagen_core.ui.draft_messages import DraftMessages
from imagen_core.ui.form import Form
from imagen_core.ui.messages import Message
from imagen_core.ui.model import Models
from imagen_core.ui.tab_runs import TabRuns
from imagen_core.zero_gpu import lent


@dataclass(frozen=True)
class DraftControls:
    """The two controls of a wall beside the form's."""

    num_drafts: gr.Slider
    prompts: gr.Textbox


class DraftHandlers:
    """The handlers of one page's wall, drawn of the form of the page; `stop` and `leave` end what its visitor draws."""

    def __init__(self, models: Models, form: Form, controls: DraftControls) -> None:
        self._models = models
        self._form = form
        self._controls = controls
        self._runs = TabRuns(DraftMessages)
        self.stop, self.leave = self._runs.stop, self._runs.leave
        self._drafted = lent(drafting(models.offered))

    def inputs(self) -> set[Component]:
        """What `draw` reads."""
        return {*self._form.controls.values(), self._controls.num_drafts, self._controls.prompts}

    def draw(self, values: Mapping[Component, object], request: gr.Request) -> Iterator[Message]:
        """Draw a wall of the form's recipe and yield its messages."""
        yield from self._runs.of(request, partial(self._draw, values))

    def _draw(self, values: Mapping[Component, object], messages: DraftMessages, attach: Attach) -> Iterator[Message]:
        drafts = self._drafts(values)
        model = self._models.of(drafts.recipe)
        yield messages.begun(drafts)
        if not model.ready:
            yield messages.message("note", text="Loading the model: only the first wall waits for it.")
        model.get()  # here, because a process that is forked for the drawing has what is loaded by then
        yield from self._drafted(DraftOrder(drafts, messages), attach)

    def _drafts(self, values: Mapping[Component, object]) -> Drafts:
        recipe = self._form.recipe(values)
        text, count = values[self._controls.prompts], values[self._controls.num_drafts]
        if not isinstance(text, str) or not isinstance(count, int):
            raise RecipeError("num_drafts", "must be a whole number from 1 to 64, and prompts must be text")
        written = text.strip() or " ".join(recipe.prompt.splitlines())  # in Create its lines are one prompt
        return Drafts(recipe, count, variations(written))
