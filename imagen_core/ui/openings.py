"""Recipes that come from outside (a link, a picture, the history), and what they may overwrite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from imagen_core import link
from imagen_core.check import shared
from imagen_core.metadata import MetadataError
from imagen_core.presets import PRESETS, Preset
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.ui.form import Form
from imagen_core.ui.messages import fork_message, of_no_run
from imagen_core.ui.model import Models
from imagen_core.ui.opened import Opened, carried_by, in_address
from imagen_core.ui.opening import REPLAY_COST, sweep_in_address
from imagen_core.ui.sweep_handlers import SweepControls

Answer = dict[Component, object]


@dataclass(frozen=True)
class Outputs:
    """The components that an opened recipe changes beside the form.

    shared: keeps what the opened recipe's picture was. settled: the recipe that was opened or drawn last, which is lost
    to nobody. pending: what waits for an answer to the question. attention: whether word maps are wanted; no recipe's.
    anew: the link of the run on show, where the browser has let go of its steps. sweep: what an opened sheet changes
    beside its recipe.
    """

    view: gr.HTML
    lock: gr.Checkbox
    question: gr.HTML
    shared: gr.State
    settled: gr.State
    pending: gr.State
    attention: gr.Checkbox
    anew: gr.Textbox
    sweep: SweepControls


class Openings:
    """The handlers of one page that bring a recipe into its form."""

    def __init__(self, models: Models, form: Form, outputs: Outputs) -> None:
        self._models = models
        self.form = form
        self.outputs = outputs

    @property
    def changed(self) -> list[Component]:
        """What the handlers may change."""
        beside = self.outputs
        states = (beside.shared, beside.settled, beside.pending)
        sweep = (*beside.sweep.of_axes, beside.sweep.view)
        return [*self.form.controls.values(), beside.lock, beside.view, beside.question, *states, *sweep]

    @property
    def known(self) -> set[Component]:
        """What tells the handlers whether the form holds something that nobody has kept."""
        return {*self.form.controls.values(), self.outputs.settled}

    def open_link(self, request: gr.Request) -> Answer:
        """Fill the form with what the page's address holds, a recipe or a sweep; a small recipe is drawn at once.

        But not where its model would have to be fetched first.
        """
        try:
            opened = in_address(request.query_params.multi_items())
        except RecipeError as error:
            return self.say("refused", text=f"This link cannot be opened: {error}")
        if opened is None:
            return self._nothing()
        if self._is_foreign(opened):
            return self._offer_another(opened)
        if opened.sweep is not None:
            return self._show(opened)
        if (preset := self._to_fetch(opened.recipe)) is not None:
            text = f"Opened a link for {preset.title}, {preset.size_mb / 1000:.0f} GB: press Generate to load it. "
            text += f"That means accepting its licence, {preset.licence_url}"
            return self._show(replace(opened, text=text))
        if (cost := opened.recipe.cost) > REPLAY_COST:
            text = f"Opened a link to a long run ({cost:,} steps): press Generate to begin."
            return self._show(replace(opened, text=text))
        return self._show(opened, replay=True)

    def axes_in_link(self, request: gr.Request) -> Answer:
        """The axes of the sweep in the address of a page that was loaded anew, which only the address has kept."""
        try:
            sweep = sweep_in_address(request.query_params.multi_items())
        except RecipeError:
            return {}
        return {} if sweep is None else self.outputs.sweep.show(sweep)

    def bring_back(self, kept: Mapping[str, object], axes: Answer) -> Answer:
        """Show what the form held before the page was loaded anew, by name; the prompt alone, if a value is wrong.

        Its "fork" is the place where the next run was to leave an earlier one; it is let go of where the form no longer
        fits to it.
        It may be something that nobody has drawn: it is asked about before it is overwritten. `axes` are shown beside.
        """
        controls = self.form.controls
        before = self.form.show(self.form.default)
        values = before | {control: kept[name] for name, control in controls.items() if name in kept}
        text, fork = "The page was loaded anew; your settings are back.", None
        try:
            shown = self.form.show(self.form.recipe(values))
        except RecipeError:
            shown = {controls["prompt"]: str(kept.get("prompt", ""))}
        if (place := kept.get("fork")) and self.form.fork is not None:
            try:
                self.form.recipe(values | {self.form.fork: place})
                fork = fork_message(self.form.fork_in(place))
            except RecipeError as error:
                text = f"The page was loaded anew; your settings are back, but not the fork: {error}"
        lock = {self.outputs.lock: kept.get("lock") is True}
        return shown | lock | axes | self.say("opened", text=text, replay=False, swept=bool(axes), fork=fork)

    def open_picture(self, path: str | None, values: Mapping[Component, object]) -> Answer:
        """Open the recipe that a dropped PNG carries, or the sweep, where it is a sheet."""
        if path is None:
            return self._nothing()
        try:
            return self._offer(carried_by(Path(path)), values)
        except MetadataError as error:
            return self.say("refused", text=str(error))

    def open_entry(self, chosen: object, values: Mapping[Component, object]) -> Answer:
        """Open the recipe of an entry of the history, a link that comes from the browser and so may be anything."""
        try:
            if not isinstance(chosen, str):
                raise RecipeError("link", "must be text")
            recipe = Recipe.from_link(chosen)
            was = shared(recipe, link.check_in(chosen))
        except RecipeError as error:
            return self.say("refused", text=f"This entry of the history cannot be opened: {error}")
        text = "Opened a recipe of the history: press Generate to draw it again."
        return self._offer(Opened(recipe, was, text), values)

    def recall(self, chosen: object, values: Mapping[Component, object]) -> Answer:
        """Open the recipe of an earlier run of this visit, whose link the browser has kept."""
        try:
            recipe = Recipe.from_link(chosen if isinstance(chosen, str) else "")
        except RecipeError as error:
            return self.say("refused", text=str(error))
        return self._offer(Opened(recipe, None, "An earlier run of this visit, with its settings."), values)

    def show(self, recipe: Recipe, text: str) -> Answer:
        """The form shows a recipe that the page itself made of one of its runs, and it is drawn at once."""
        return self._show(Opened(recipe, None, text), replay=True)

    def open_chosen(self, values: Mapping[Component, object], event: gr.EventData) -> Answer:
        """Open the recipe of a draft or of a cell of a sweep, whose link the browser sends."""
        try:
            recipe = Recipe.from_link(str(getattr(event, "link", "")))
        except RecipeError as error:
            return self.say("refused", text=f"This recipe cannot be opened: {error}")
        return self._offer(Opened(recipe, None, "Opened its recipe: press Generate to draw it."), values)

    def open_pending(self, pending: object) -> Answer:
        """The answer to the question was yes."""
        return self._show(pending) if isinstance(pending, Opened) else self._nothing()

    def settle(self, values: Mapping[Component, object]) -> Recipe | None:
        """The recipe that is about to be drawn: overwriting it loses nothing, for the history has it."""
        try:
            return self.form.recipe(values)
        except RecipeError:
            return None

    def say(self, kind: str, **values: object) -> Answer:
        """One message for the view, and nothing else."""
        return {self.outputs.view: of_no_run(kind, **values)}

    def _offer(self, opened: Opened, values: Mapping[Component, object]) -> Answer:
        """Show a recipe, or ask first where the form holds settings that were neither drawn nor opened."""
        here = self.settle(values)
        settled = values.get(self.outputs.settled)
        lost_to_nobody = [each for each in (opened.recipe, settled, self.form.default) if isinstance(each, Recipe)]
        kept = here is not None and here in [replace(each, fork=None) for each in lost_to_nobody]
        unsaved = "" if kept else "You changed settings and have not drawn them. "
        if self._is_foreign(opened):
            return self._offer_another(opened, unsaved)
        if kept:
            return self._show(opened)
        return self._ask(f"{unsaved}Open {opened.name} in their place?", opened)

    def _is_foreign(self, opened: Opened) -> bool:
        """Whether no model of this page can draw it."""
        return opened.recipe.model not in self._models.offered

    def _to_fetch(self, recipe: Recipe) -> Preset | None:
        """The preset that drawing it would fetch; who opens a link has not accepted its licence with a click yet."""
        preset = PRESETS.get(recipe.model)
        return preset if preset is not None and preset.fetched and not self._models.of(recipe).ready else None

    def _offer_another(self, opened: Opened, unsaved: str = "") -> Answer:
        """Ask whether the page's own model shall draw it. A link or a picture may come from a page with other ones."""
        theirs, ours = opened.recipe.model, self._models.default
        what = f"{opened.name} is" if opened.sweep is None else f"The sweep of {opened.name} is"
        what = what[0].upper() + what[1:]
        text = f"{unsaved}{what} for the model {theirs}, which this page does not have. Open it for {ours} instead?"
        return self._ask(text, opened.with_model(ours))

    def _ask(self, text: str, opened: Opened) -> Answer:
        question = of_no_run("question", text=text)
        return {self.outputs.question: question, self.outputs.pending: opened, self.outputs.view: gr.skip()}

    def _show(self, opened: Opened, replay: bool = False) -> Answer:
        """The form shows the recipe, its seed is kept, and so is what its picture was."""
        kept = {self.outputs.lock: True, self.outputs.shared: opened.shared, self.outputs.settled: opened.recipe}
        swept = opened.sweep is not None
        told = self.say("opened", text=opened.text, replay=replay, fork=fork_message(opened.recipe.fork), swept=swept)
        axes = {} if opened.sweep is None else self.outputs.sweep.show(opened.sweep)
        return self.form.show(opened.recipe) | axes | kept | {self.outputs.pending: None} | told

    def _nothing(self) -> Answer:
        return {self.outputs.view: gr.skip()}


def connect_openings(openings: Openings, picture: gr.UploadButton, history: gr.HTML) -> None:
    """A picture that is uploaded or dropped, an entry of the history, and a yes to the question open a recipe."""

    def from_picture(values: Mapping[Component, object]) -> Answer:
        path = values[picture]
        return openings.open_picture(path if isinstance(path, str) else None, values)

    def from_history(values: Mapping[Component, object], event: gr.EventData) -> Answer:
        return openings.open_entry(getattr(event, "link", None), values)

    outputs = openings.outputs
    known = openings.known
    ways: tuple[tuple[Any, Callable[..., Answer], Any], ...] = (
        (picture.upload, from_picture, {*known, picture}),
        (history.select, from_history, known),
        (outputs.question.submit, openings.open_pending, [outputs.pending]),
    )
    for event, handler, inputs in ways:
        event(handler, inputs, openings.changed, queue=False, api_visibility="private", show_progress="hidden")
