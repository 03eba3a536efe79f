"""What the model is, what it can draw, and who may do what with it."""

from __future__ import annotations

from html import escape

import gradio as gr

from imagen_core.presets import PRESETS, Preset
from imagen_core.ui.theme import asset

_UNKNOWN = {
    "title": "A model of your own",
    "description": "The weights come from a folder on this machine; what they can draw is known to who made them.",
    "licence": "The weights have the licence that their maker gave them.",
}


def about_panel(model: str) -> None:
    """Place the text; the words about the model are its preset's own."""
    preset = PRESETS.get(model)
    page = asset("about.html")
    for name, text in (_told(preset) if preset else _UNKNOWN).items():
        page = page.replace(f"[[{name}]]", text)
    gr.HTML(page, apply_default_css=False, elem_id="about")


def _told(preset: Preset) -> dict[str, str]:
    """What the page tells of a preset, as HTML."""
    assert preset.licence_url.startswith("https://")
    link = f'<a href="{escape(preset.licence_url)}" rel="noopener">{escape(preset.licence)}</a>'
    return {
        "title": escape(preset.title),
        "description": escape(preset.description),
        "licence": f"Weights: {link}, {preset.size_mb:,} MB.",
    }
