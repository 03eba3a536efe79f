"""The words of the prompt as the page's dial sees and changes them."""

from __future__ import annotations

from typing import Any

import pytest

from imagen_core.ui.words_panel import read_words, weigh_word


def test_words_come_with_their_weights() -> None:
    told = read_words({"prompt": "a (red:1.4) <b>apple</b>, (ripe:0)"})
    assert told == {
        "words": [
            {"text": "a", "weight": 1.0},
            {"text": "red", "weight": 1.4},
            {"text": "<b>apple</b>", "weight": 1.0},
            {"text": "ripe", "weight": 0.0},
        ]
    }
    assert read_words({"prompt": ""}) == {"words": []}
    words = read_words({"prompt": "a " * 400})["words"]
    assert isinstance(words, list)
    assert len(words) == 80


def test_a_dial_writes_into_the_prompt() -> None:
    assert weigh_word({"prompt": "a red apple", "word": 1, "weight": 1.4}) == {"prompt": "a (red:1.4) apple"}
    assert weigh_word({"prompt": "a (red:1.4) apple", "word": 1, "weight": 1}) == {"prompt": "a red apple"}


@pytest.mark.parametrize("asked", [None, [], "x", {}, {"prompt": None}, {"prompt": 7}, {"prompt": "(a:9)"}])
def test_whatever_a_browser_sends_is_answered(asked: Any) -> None:
    assert read_words(asked).keys() <= {"words", "problem"}
    assert weigh_word(asked).keys() == {"problem"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"word": 3}, "one of the 3 words"),
        ({"word": -1}, "word must be a whole number"),
        ({"word": True}, "word must be a whole number"),
        ({"weight": 3.5}, "weight must be a number from 0 to 3"),
        ({"weight": float("nan")}, "weight must be a number from 0 to 3"),
        ({"weight": "2"}, "weight must be a number from 0 to 3"),
        ({"prompt": "a red apple" + "!" * 989}, "at most 1,000 characters"),
    ],
)
def test_what_cannot_be_weighed_is_told(changes: dict[str, Any], problem: str) -> None:
    told = weigh_word({"prompt": "a red apple", "word": 1, "weight": 2.0} | changes)
    assert problem in str(told["problem"])
