"""Restyling: one 64-pixel picture, drawn larger with other words and a dial of how far they may go.

The result is an ordinary recipe, with a prompt of its own in the stages that enlarge and an aug_level of its own in the
first of them, which makes the new surface; the last one keeps to that. The base stage is that of the run before, so it
is not drawn again (arXiv 2205.11487, figure A.12).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import gradio as gr

from imagen_core.fork import drawn_by
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.ui.openings import Answer, Openings
from imagen_core.validation import shown

_ASKED = "() => window.imagenRestyle"  # what the view wants: JSON of a link, a prompt and an aug_level
_BEGIN = "() => { window.dispatchEvent(new Event('imagen:replay')); }"
_MAX_LENGTH = 200_000  # characters


def restyled(recipe: Recipe, prompt: object, aug_level: object) -> Recipe:
    """`recipe` with this prompt in the stages that enlarge, empty for the recipe's own, and sr256 with this aug_level.

    A fork of a later stage is left out of it, because all of it is drawn anew. Raises `RecipeError`.
    """
    same = drawn_by(recipe, "base")
    if same is not recipe:
        same = replace(same, sr256=recipe.sr256, sr1024=recipe.sr1024, last_stage=recipe.last_stage)
    own = {"prompt": prompt}
    return same.updated({"sr256": own | {"aug_level": aug_level}, "sr1024": own})


def asked_recipe(text: object) -> Recipe:
    """The recipe that the view asks for: JSON {"link", "prompt", "aug_level"}. Raises `RecipeError`."""
    try:
        asked = json.loads(text) if isinstance(text, str) and len(text) <= _MAX_LENGTH else None
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, Mapping) or not isinstance(asked.get("link"), str):
        raise RecipeError("restyle", f"must be a link, a prompt and an aug_level, not {shown(text)}")
    return restyled(Recipe.from_link(asked["link"]), asked.get("prompt"), asked.get("aug_level"))


def connect_restyling(openings: Openings) -> None:
    """Place what the view presses: the form shows the restyled recipe, and a run of it begins."""

    def restyle(text: object) -> Answer:
        try:
            return openings.show(asked_recipe(text), "Restyling the same small picture.")
        except RecipeError as error:
            return openings.say("refused", text=str(error))

    asked = gr.Textbox(elem_classes="unseen")
    button = gr.Button("Restyle", elem_id="restyle-run", elem_classes="unseen")
    filled = button.click(
        restyle, asked, openings.changed, js=_ASKED, queue=False, api_visibility="private", show_progress="hidden"
    )
    filled.then(None, js=_BEGIN, api_visibility="private")
