"""What the model is, what it can draw, and who may do what with it."""

from __future__ import annotations

from html import escape
from urllib.parse import urlsplit

import gradio as gr

from imagen_core.presets import Preset
from imagen_core.ui.theme import asset


def about_panel(preset: Preset) -> None:
    """Place the text; the words about the model are its preset's own."""
    assert urlsplit(preset.licence_url).scheme == "https"
    texts = {
        "title": preset.title,
        "description": preset.description,
        "licence": preset.licence,
        "licence_url": preset.licence_url,
        "size_mb": f"{preset.size_mb:,}",
    }
    page = asset("about.html")
    for name, text in texts.items():
        page = page.replace(f"[[{name}]]", escape(text))
    gr.HTML(page, apply_default_css=False, elem_id="about")
