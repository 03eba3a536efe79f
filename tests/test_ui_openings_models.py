"""Recipes from outside for a model that is not here: no fetch without a click, and the page's own one is offered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from imagen_core.presets import PRESETS
from imagen_core.recipe import Recipe
from imagen_core.sweep import Sweep
from imagen_core.sweep_axis import Axis
from imagen_core.ui.model import BackgroundModel, Models
from imagen_core.ui.opening import REPLAY_COST
from imagen_core.ui.openings import Openings
from tests.conftest import make_tiny_imagen
from tests.test_ui_handlers import Page, page
from tests.test_ui_openings import OTHER, arrived, message, openings, shown

__all__ = ("openings", "page")  # fixtures


def test_a_link_fetches_no_model_until_somebody_presses_generate(page: Page) -> None:
    """A link to 60 steps of DeepFloyd IF began a fetch of 12 GB, and accepted a licence, for whoever opened it."""
    large = replace(PRESETS["deepfloyd-if-m"].recipe, prompt="a pear", last_stage="base")
    assert large.cost <= REPLAY_COST
    model, small = BackgroundModel(make_tiny_imagen), BackgroundModel(make_tiny_imagen)
    models = Models("bundled", {"bundled": small, large.model: model})
    openings = Openings(models, page.form, page.outputs)
    answer = openings.open_link(arrived(large.to_link()))
    assert answer[openings.outputs.settled] == large
    assert message(openings, answer)["replay"] is False
    assert message(openings, answer)["text"] == (
        "Opened a link for DeepFloyd IF M, 12 GB: press Generate to load it. That means accepting its licence, "
        f"{PRESETS[large.model].licence_url}"
    )
    assert message(openings, openings.open_link(arrived(OTHER.to_link())))["replay"] is True  # nothing to fetch
    model.get()
    assert message(openings, openings.open_link(arrived(large.to_link())))["replay"] is True


FOREIGN = replace(OTHER, model="another")
FOREIGN_FORK = FOREIGN.forked("base", 3, {"prompt": "a plum"})
FOREIGN_SWEEP = Sweep(FOREIGN, (Axis.of("base.guidance_scale", "1, 3"),))


@pytest.mark.parametrize("recipe", [FOREIGN, FOREIGN_FORK])
def test_a_recipe_for_a_model_that_the_page_has_not_is_offered_for_its_own(openings: Openings, recipe: Recipe) -> None:
    outputs = openings.outputs
    for answer in (
        openings.open_link(arrived(recipe.to_link())),
        openings.open_entry(recipe.to_link(), openings.form.show(Recipe())),
    ):
        assert set(answer) == {outputs.question, outputs.pending, outputs.view}
        asked: Any = answer[outputs.question]
        assert asked["text"] == (
            f"“{recipe.prompt}” is for the model another, which this page does not have. Open it for bundled instead?"
        )
        opened = openings.open_pending(answer[outputs.pending])
        here = opened[outputs.settled]
        assert isinstance(here, Recipe)
        assert here.to_link() == recipe.to_link().replace("model=another", "model=bundled")
        assert opened[outputs.shared] is None  # of the other model's picture nothing can be said
        assert message(openings, opened)["text"] == "Opened for the model bundled: press Generate."
        assert message(openings, opened)["replay"] is False


def test_a_sweep_for_a_model_that_the_page_has_not_is_offered_for_its_own(openings: Openings) -> None:
    """The form took the model, which its menu does not have, and the sweep failed when it was drawn."""
    outputs = openings.outputs
    answer = openings.open_link(arrived(FOREIGN_SWEEP.to_link()))
    asked: Any = answer[outputs.question]
    assert asked["text"] == (
        "The sweep of “a pear” is for the model another, which this page does not have. Open it for bundled instead?"
    )
    opened = openings.open_pending(answer[outputs.pending])
    assert shown(openings, opened | {openings.form.controls["model"]: "bundled"}) == OTHER
    assert [opened[control] for control in outputs.sweep.of_axes] == ["base.guidance_scale", "1,3", "none", ""]
    assert message(openings, opened)["text"] == "Opened for the model bundled: press Draw."
    assert message(openings, opened)["swept"] is True


def test_what_is_lost_by_opening_it_for_another_model_is_told_too(openings: Openings) -> None:
    edited: dict[Any, Any] = openings.form.show(Recipe(prompt="mine")) | {openings.outputs.settled: None}
    answer = openings.open_entry(FOREIGN.to_link(), edited)
    asked: Any = answer[openings.outputs.question]
    assert asked["text"].startswith("You changed settings and have not drawn them. “a pear” is for the model another")
