"""Controls for what lies between two pictures: neighbours of one, and the way to another prompt."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from imagen_core.recipe import Recipe
from imagen_core.ui.prompt_panel import PRESS_GENERATE
from imagen_core.ui.reading import Reader, reading_line
from imagen_core.ui.settings_panel import QuickSettings, slider

_COUNT = 4
# A share that is set stays; the other seed is new, so that every press shows other neighbours. Nothing during a run.
_NEIGHBOURS = f"""(share, seed, count, lock) => {{
  if (document.body.hasAttribute('data-running')) return [share, seed, count, lock];
  const near = share > 0 && share < 1 ? share : 0.3;
  return [near, String(Math.floor(Math.random() * 4294967296)), {_COUNT}, true];
}}"""


@dataclass(frozen=True)
class VariationPanel:
    """Its controls, by the names of their values in a recipe, and the button that draws neighbours at once."""

    controls: dict[str, Component]
    neighbours: gr.Button


def variation_panel(default: Recipe, read_prompt: Reader) -> VariationPanel:
    """Place the panel, closed."""
    controls: dict[str, Component] = {}
    title = "Variations and a second prompt"
    with gr.Accordion(title, open=False, elem_classes="stage-settings", elem_id="variations"):
        neighbours = gr.Button(f"Draw {_COUNT} near variations", elem_id="neighbours", size="md")
        controls["variation"] = slider(
            "variation",
            default.variation,
            "Variation",
            "Share of another seed's noise: 0 is the seed above, 1 the other one. Needs the seed below.",
        )
        controls["variation_seed"] = gr.Textbox(
            "" if default.variation_seed is None else str(default.variation_seed),
            label="Variation seed",
            info="That other seed. With several images, each takes the next one.",
            elem_id="field-variation_seed",
        )
        second = gr.Textbox(
            default.second_prompt,
            label="Second prompt",
            info="Another prompt, towards which the first one can go.",
            max_lines=4,
            elem_id="field-second_prompt",
        )
        controls["second_prompt"] = second
        reading_line(second, read_prompt, "second_prompt")
        controls["second_share"] = slider(
            "second_share", default.second_share, "Second share", "0 is the first prompt alone, 1 the second one."
        )
    return VariationPanel(controls, neighbours)


def connect_variations(panel: VariationPanel, quick: QuickSettings) -> None:
    """A press on the button fills in what neighbours need, and begins."""
    shown = [panel.controls["variation"], panel.controls["variation_seed"], quick.controls["num_images"], quick.lock]
    filled = panel.neighbours.click(None, shown, shown, js=_NEIGHBOURS, api_visibility="private")
    filled.then(None, None, None, js=PRESS_GENERATE, api_visibility="private")
