"""The words of the prompt, each with a dial for its weight; the dial writes the prompt's own syntax."""

from __future__ import annotations

from typing import Any

import gradio as gr

from imagen_core.prompt_weights import MAX_WEIGHT, parse, weigh, words
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.ui.theme import asset
from imagen_core.validation import Number, Whole

_SHOWN = 80  # words; a longer prompt is weighed by hand
_WORD, _WEIGHT = Whole(0, _SHOWN), Number(0, MAX_WEIGHT)


def words_panel() -> None:
    """Place the panel, not seen before there is a prompt."""
    gr.HTML(
        html_template=asset("words.html"),
        js_on_load=asset("words.js"),
        server_functions=[read_words, weigh_word],
        apply_default_css=False,
        elem_id="words",
    )


def word_maps_switch() -> gr.Checkbox:
    """Place the switch for maps of the words."""
    return gr.Checkbox(
        label="Word maps",
        info="Show where the model looks for each word. The pictures stay the same; every size is drawn anew.",
        elem_id="attention",
    )


def read_words(asked: Any) -> dict[str, object]:
    """The words of the "prompt" with their weights: {"words": [{"text": ..., "weight": ...}]}; or the problem."""
    try:
        weighted = parse(Recipe(prompt=asked["prompt"]).prompt)
    except RecipeError as error:
        return {"problem": str(error)}
    except (KeyError, TypeError):
        return {"words": []}
    found = words(weighted.text)[:_SHOWN]
    return {"words": [{"text": word.text, "weight": weighted.mean_weight(word.start, word.end)} for word in found]}


def weigh_word(asked: Any) -> dict[str, object]:
    """The "prompt" with another "weight" for its "word" number so and so: {"prompt": ...}; or the problem."""
    try:
        word, weight = _WORD.check("word", asked["word"]), _WEIGHT.check("weight", asked["weight"])
        assert word is not None
        prompt = weigh(Recipe(prompt=asked["prompt"]).prompt, word, weight)
        return {"prompt": Recipe(prompt=prompt).prompt}
    except RecipeError as error:
        return {"problem": str(error)}
    except (KeyError, TypeError):
        return {"problem": "The page asked for a weight without a prompt: load it again."}
