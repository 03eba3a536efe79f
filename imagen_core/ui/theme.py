"""How the page looks: colours that pass WCAG AA in light and dark, the system's own fonts, the files of the page."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

PAGE_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "page"
_SANS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

# (light, dark) of every name that page.css declares again as a CSS variable.
_PAPER, _CARD, _INK, _SOFT = (
    ("#f7f6f2", "#111413"),
    ("#ffffff", "#191d1c"),
    ("#1b1f1e", "#e9ecea"),
    ("#525a57", "#a9b2ae"),
)
_LINE, _EDGE, _ACCENT = ("#e2dfd6", "#2c3331"), ("#858c88", "#6d7773"), ("#0b6e5f", "#5fd0b7")
_ACCENT_INK, _ACCENT_HOVER, _TINT = ("#ffffff", "#06251e"), ("#095a4e", "#7bdcc6"), ("#e3f1ed", "#17302b")
_STOP = ("#9b2c20", "#ff9d90")


def asset(name: str) -> str:
    """The text of a file of the page."""
    return (PAGE_FOLDER / name).read_text(encoding="utf-8")


def theme() -> gr.themes.Base:
    """Gradio's theme with every colour that it fails contrast with replaced."""
    pairs = {
        "body_background_fill": _PAPER,
        "body_text_color": _INK,
        "body_text_color_subdued": _SOFT,
        "background_fill_primary": _CARD,
        "background_fill_secondary": _PAPER,
        "block_background_fill": _CARD,
        "block_border_color": _LINE,
        "border_color_primary": _LINE,
        "border_color_accent": _ACCENT,
        "block_info_text_color": _SOFT,
        "block_label_background_fill": _CARD,
        "block_label_text_color": _SOFT,
        "block_title_text_color": _INK,
        "accordion_text_color": _INK,
        "input_background_fill": _CARD,
        "input_border_color": _EDGE,
        "input_border_color_focus": _ACCENT,
        "input_placeholder_color": _SOFT,
        "slider_color": _ACCENT,
        "loader_color": _ACCENT,
        "link_text_color": _ACCENT,
        "link_text_color_hover": _ACCENT_HOVER,
        "link_text_color_visited": _ACCENT,
        "link_text_color_active": _ACCENT,
        "checkbox_background_color_selected": _ACCENT,
        "checkbox_border_color_selected": _ACCENT,
        "checkbox_border_color": _EDGE,
        "checkbox_label_background_fill": _CARD,
        "checkbox_label_background_fill_selected": _TINT,
        "checkbox_label_text_color_selected": _INK,
        "button_primary_background_fill": _ACCENT,
        "button_primary_background_fill_hover": _ACCENT_HOVER,
        "button_primary_text_color": _ACCENT_INK,
        "button_primary_border_color": _ACCENT,
        "button_secondary_background_fill": _CARD,
        "button_secondary_background_fill_hover": _TINT,
        "button_secondary_text_color": _INK,
        "button_secondary_border_color": _EDGE,
        "button_cancel_background_fill": _CARD,
        "button_cancel_background_fill_hover": _TINT,
        "button_cancel_text_color": _STOP,
        "button_cancel_border_color": _STOP,
        "error_text_color": _STOP,
    }
    values = {name: light for name, (light, _) in pairs.items()}
    values |= {f"{name}_dark": dark for name, (_, dark) in pairs.items()}
    base = gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_md,
        font=_SANS,
        font_mono=_MONO,
    )
    return base.set(
        **values, color_accent="var(--accent)", block_shadow="none", input_border_width="1px", button_border_width="1px"
    )
