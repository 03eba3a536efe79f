"""What the model will read of a prompt, told under its field before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from imagen_core.recipe import Recipe, RecipeError
from imagen_core.ui.errors import sentence
from imagen_core.ui.model import Models
from imagen_core.ui.theme import asset

Reader = Callable[[Any], dict[str, object]]

_TELL = """(value) => {{
  (window.imagenTold ??= {{}}).{name} = value;
  window.dispatchEvent(new CustomEvent('imagen:{name}', {{ detail: value }}));
}}"""


def telling(name: str) -> str:
    """JavaScript that tells the page a field's new value, and keeps it for what the browser places only later.

    What stands in a folded part is placed when it is opened: an event alone would have passed by then.
    """
    return _TELL.format(name=name)


def reading_line(prompt: gr.Textbox, read_prompt: Reader, name: str) -> None:
    """Place the line; `name`, such as "negative_prompt", tells it from the others."""
    gr.HTML(
        html_template=f'<p class="reading" data-of="{name}" aria-live="polite"></p>',
        js_on_load=asset("reading.js"),
        server_functions=[read_prompt],
        apply_default_css=False,
        elem_id=f"reading-{name}",
    )
    prompt.change(None, prompt, None, js=telling(name), api_visibility="private")


def prompt_reader(models: Models) -> Reader:
    """The function that the browser calls while a prompt is typed."""

    def read_prompt(asked: Any) -> dict[str, object]:
        """The number of tokens, the part that is cut off, and the unknown words; or the problem; or {}.

        `asked` holds the "prompt", and the "model" where the page has a menu of them.
        """
        try:
            text = Recipe(prompt=asked["prompt"]).prompt
            model = models.offered[asked.get("model") or models.default]
            imagen = model.loaded
            if not text or (imagen is None and (model is not models.first or model.gave_way)):
                return {}  # nobody waits for a model that loads only when it is to draw
            if model.failure:
                return {"problem": sentence(model.failure)}
            if imagen is None:
                return {"loading": True}
            reading = imagen.tokens(text)
        except RecipeError as error:
            return {"problem": str(error)}
        except Exception as error:
            return {"problem": sentence(error)}
        foreign = imagen.vocabulary.foreign(reading.kept) if imagen.vocabulary else ()
        return {
            "num_tokens": reading.num_tokens,
            "max_tokens": reading.max_tokens,
            "kept": reading.kept,
            "cut": reading.cut,
            "unknown": list(reading.unknown),
            "foreign": list(foreign),
        }

    return read_prompt
