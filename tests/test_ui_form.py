"""Controls and recipes, there and back."""

from __future__ import annotations

import math

import gradio as gr
import pytest
from gradio.components import Component

from imagen_core.recipe import RULES, Recipe, RecipeError
from imagen_core.ui.form import Form
from imagen_core.ui.settings_panel import quick_settings, stage_settings
from imagen_core.ui.variation_panel import variation_panel
from tests.ui_page import in_a_loop


@pytest.fixture(scope="module")
def form() -> Form:
    def place() -> Form:
        default = Recipe()
        with gr.Blocks(analytics_enabled=False):
            quick = quick_settings(default)
            controls: dict[str, Component] = {"prompt": gr.Textbox(), "model": gr.State("bundled")}
            controls |= quick.controls | variation_panel(default, lambda _: {}).controls
            return Form(controls | stage_settings(default, lambda _: {}), default)

    return in_a_loop(place)


def test_every_value_of_a_recipe_has_a_control(form: Form) -> None:
    without = set(RULES) - set(form.controls)
    assert without == {"version", "base.aug_level"}  # the base enlarges nothing


def test_controls_begin_with_the_default_recipe(form: Form) -> None:
    shown = {control: control.value for control in form.controls.values()}
    shown[form.controls["prompt"]] = ""
    assert form.recipe(shown) == Recipe()


def test_what_is_shown_is_read_again(form: Form) -> None:
    recipe = Recipe(
        prompt="ein Apfel",
        negative_prompt="blau",
        seed=2**32 - 1,
        num_images=3,
        last_stage="sr256",
        variation=0.25,
        variation_seed=2**32 - 1,
        second_share=1.0,
        second_prompt="eine Birne",
    ).updated(
        {
            "base": {"num_steps": 3, "guidance_scale": 0.5, "guidance_start": 0.25, "thresholding": "none"},
            "sr256": {"prompt": "a glass apple", "seed": 5, "scheduler": "ddim", "spacing": "trailing"},
            "sr1024": {"aug_level": 1.0, "percentile": 50.5},
        }
    )
    assert form.recipe(form.show(recipe)) == recipe


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("seed", None, "Seed must be a whole number from 0 to 4294967295, not null."),
        ("seed", 1.5, "Seed must be a whole number from 0 to 4294967295, not 1.5."),
        ("seed", "x", "Seed must be a whole number from 0 to 4294967295, not 'x'."),
        ("seed", -1, "Seed must be a whole number from 0 to 4294967295, not -1."),
        ("base.num_steps", 0, "Steps (base) must be a whole number from 1 to 250, not 0."),
        ("base.guidance_scale", math.nan, "Guidance scale (base) must be a number from 0 to 30, not nan."),
        ("sr256.scheduler", ["ddim"], "not a list."),
        ("sr256.seed", "1.5", "Own seed (sr256) must be a whole number from 0 to 4294967295, not '1.5'."),
        ("prompt", "a\0b", "prompt must not hold a control character (U+0000, character 2)."),
    ],
)
def test_bad_values_are_told_in_one_sentence(form: Form, name: str, value: object, sentence: str) -> None:
    values = form.show(Recipe()) | {form.controls[name]: value}
    with pytest.raises(RecipeError) as raised:
        form.recipe(values)
    assert raised.value.field == name
    assert str(raised.value).endswith(sentence)


@pytest.mark.parametrize(
    ("name", "value", "field", "text"),
    [
        (
            "num_images",
            17,
            "num_images",
            "Images must be at most 16 at 1024 pixels, not 17: lower it, or choose a smaller Final size.",
        ),
        ("variation", 0.5, "variation_seed", "Variation seed must be given, because variation is 0.5, not 0."),
        ("sr256.scheduler", "heun sr256.num_steps", "sr256.scheduler", "Scheduler (sr256) must be one of"),
    ],
)
def test_errors_call_controls_what_the_page_calls_them(
    form: Form, name: str, value: object, field: str, text: str
) -> None:
    shown = form.show(Recipe()) | {form.controls[name]: value}
    with pytest.raises(RecipeError) as told:
        form.recipe(shown)
    assert str(told.value).startswith(text)
    assert told.value.field == field
