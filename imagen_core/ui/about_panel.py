"""What the model is, what it can draw, and who may do what with it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import gradio as gr

from imagen_core.presets import PRESETS, Preset
from imagen_core.ui.theme import asset

_UNKNOWN = {
    "title": "A model of your own",
    "description": "These weights were named when the page was started; what they can draw is known to who made them.",
    "licence": "The weights have the licence that their maker gave them.",
}


def about_panel(models: Sequence[str]) -> None:
    """Place the text about the models that the page offers, the first one in full."""
    told = [_told(PRESETS[name]) if name in PRESETS else _UNKNOWN for name in models]
    others = "".join(
        f"<li><b>{other['title']}.</b> {other['description']} {other['licence']}</li>" for other in told[1:]
    )
    page = asset("about.html").replace("[[others]]", f"<h3>Other models</h3><ul>{others}</ul>" if others else "")
    for name, text in told[0].items():
        page = page.replace(f"[[{name}]]", text)
    gr.HTML(page, apply_default_css=False, elem_id="about")


def _told(preset: Preset) -> dict[str, str]:
    """What the page tells of a preset, as HTML."""
    assert preset.licence_url.startswith("https://")
    away = 'target="_blank" rel="noopener"'  # what is drawn and typed here would be lost
    link = f'<a href="{escape(preset.licence_url)}" {away}>{escape(preset.licence)}</a>'
    return {
        "title": escape(preset.title),
        "description": escape(preset.description),
        "licence": f"Weights: {link}, {preset.size_mb:,} MB.",
    }
