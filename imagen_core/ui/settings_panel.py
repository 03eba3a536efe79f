"""The controls of a recipe: the ones that everybody turns, and an accordion per stage for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from imagen_core.presets import PRESETS
from imagen_core.recipe import RULES, SCHEDULERS, SIZES, SPACINGS, STAGES, THRESHOLDINGS, Recipe
from imagen_core.ui.reading import Reader, reading_line
from imagen_core.validation import Number, Whole

_DICE = "() => [Math.floor(Math.random() * 4294967296), true]"
_LOCK = "() => true"
_SUMMARY = {
    "base": "from noise to 64 × 64",
    "sr256": "64 → 256",
    "sr1024": "256 → 1024",
}


@dataclass(frozen=True)
class QuickSettings:
    """The controls in reach of the prompt; `lock` keeps the seed from changing at the next run."""

    controls: dict[str, Component]
    lock: gr.Checkbox


def quick_settings(default: Recipe, models: Sequence[str] = ()) -> QuickSettings:
    """Place the menu of models, where there is a choice; guidance, steps, seed, number of images and final size."""
    controls: dict[str, Component] = {}
    with gr.Column(elem_id="quick"):
        if len(models) > 1:
            titles = [(PRESETS[name].title if name in PRESETS else "Weights of your own", name) for name in models]
            controls["model"] = gr.Dropdown(
                titles, value=default.model, label="Model", filterable=False, elem_id="field-model"
            )
        controls["base.guidance_scale"] = slider(
            "base.guidance_scale",
            default.base.guidance_scale,
            "Guidance scale",
            "How closely to follow the prompt; 1 is off.",
        )
        controls["base.num_steps"] = slider(
            "base.num_steps", default.base.num_steps, "Steps", "From noise to 64 pixels. More are slower."
        )
        with gr.Row(elem_id="seed-row"):
            controls["seed"] = gr.Number(
                default.seed,
                label="Seed",
                info="Picks the noise: a new one each run, unless locked.",
                elem_id="field-seed",
                min_width=110,
            )
            lock = gr.Checkbox(False, label="Lock", elem_id="lock", min_width=70)
            dice = gr.Button("Dice", elem_id="dice", min_width=70)
        with gr.Row(elem_id="count-row"):
            controls["num_images"] = gr.Number(
                default.num_images, label="Images", elem_id="field-num_images", min_width=80
            )
            controls["last_stage"] = gr.Radio(
                [(f"{SIZES[stage]}", stage) for stage in STAGES],
                value=default.last_stage,
                label="Final size",
                elem_id="field-last_stage",
                min_width=120,
            )
    dice.click(None, None, [controls["seed"], lock], js=_DICE, api_visibility="private")
    controls["seed"].input(None, None, lock, js=_LOCK, api_visibility="private")  # type: ignore[attr-defined]
    return QuickSettings(controls, lock)


def stage_settings(default: Recipe, read_prompt: Reader) -> dict[str, Component]:
    """Place everything else: the negative prompt, and one accordion per stage."""
    controls: dict[str, Component] = {}
    negative = gr.Textbox(
        default.negative_prompt,
        label="Negative prompt",
        info="What the guidance moves away from. Works only where the guidance scale is not 1.",
        lines=1,
        max_lines=4,
        elem_id="field-negative_prompt",
    )
    reading_line(negative, read_prompt, "negative_prompt")
    controls["negative_prompt"] = negative
    for stage in STAGES:
        with gr.Accordion(f"{stage}: {_SUMMARY[stage]}", open=False, elem_classes="stage-settings"):
            controls |= _stage_controls(stage, default)
    return controls


def _stage_controls(stage: str, default: Recipe) -> dict[str, Component]:
    """The controls of one stage; the base's steps and guidance scale are among the quick settings."""
    values = default.stage(stage)
    controls: dict[str, Component] = {}
    if stage != "base":
        controls["num_steps"] = slider(f"{stage}.num_steps", values.num_steps, "Steps", "Denoising steps.")
        controls["aug_level"] = slider(
            f"{stage}.aug_level",
            values.aug_level,
            "aug_level",
            "Noise on the picture that is enlarged: more lets the stage redraw it, 0 keeps to it.",
        )
        controls["guidance_scale"] = slider(
            f"{stage}.guidance_scale",
            values.guidance_scale,
            "Guidance scale",
            "How strongly this stage follows the prompt; 1 is off.",
        )
    controls["scheduler"] = _menu(
        stage, "scheduler", values.scheduler, SCHEDULERS, "How a step moves from noise towards the estimate."
    )
    controls["spacing"] = _menu(stage, "spacing", values.spacing, SPACINGS, "Where on the way the steps are placed.")
    controls["guidance_start"] = slider(
        f"{stage}.guidance_start", values.guidance_start, "Guidance from", "Share of the steps done when it begins."
    )
    controls["guidance_end"] = slider(
        f"{stage}.guidance_end", values.guidance_end, "Guidance until", "Share of the steps done when it ends."
    )
    controls["thresholding"] = _menu(
        stage,
        "thresholding",
        values.thresholding,
        THRESHOLDINGS,
        "What keeps the estimate's colours in range: none, a plain clip, or scaling by a percentile.",
    )
    controls["percentile"] = slider(
        f"{stage}.percentile", values.percentile, "Percentile", "For dynamic thresholding only."
    )
    controls["prompt"] = gr.Textbox(
        values.prompt or "",
        label="Own prompt",
        info="Instead of the prompt above, for this stage. Empty: the same.",
        max_lines=4,
        elem_id=f"field-{stage}-prompt",
    )
    controls["seed"] = gr.Textbox(
        "" if values.seed is None else str(values.seed),
        label="Own seed",
        info="Instead of the seed above, for this stage. Empty: the same.",
        elem_id=f"field-{stage}-seed",
    )
    return {f"{stage}.{name}": control for name, control in controls.items()}


def slider(name: str, value: float, label: str, info: str) -> gr.Slider:
    """A slider over the whole range that the rule of `name` allows."""
    rule = RULES[name]
    assert isinstance(rule, Whole | Number)
    span = rule.high - rule.low
    step = 1 if isinstance(rule, Whole) else 0.01 if span <= 1 else 0.1
    # A rule "above 50" has no smallest number; the control begins one step later.
    low = rule.low + step if isinstance(rule, Number) and rule.above else rule.low
    return gr.Slider(
        low,
        rule.high,
        value,
        step=step,
        precision=None,
        label=label,
        info=info,
        elem_id=f"field-{name.replace('.', '-')}",
        min_width=120,
    )


def _menu(stage: str, field: str, value: str, options: tuple[str, ...], info: str) -> gr.Dropdown:
    """A menu of the rule's own words."""
    return gr.Dropdown(
        list(options),
        value=value,
        label=field.capitalize(),
        info=info,
        filterable=False,
        elem_id=f"field-{stage}-{field}",
    )
