"""Several prompts in one text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagen_core.prompt_variations import variations
from imagen_core.validation import RecipeError


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("", ()),
        ("an apple", ("an apple",)),
        ("an apple\n\n  a cake \r\n", ("an apple", "a cake")),
        ("a {red|blue} apple", ("a red apple", "a blue apple")),
        ("{a|b} {1|2}", ("a 1", "a 2", "b 1", "b 2")),
        ("a {red|} apple", ("a red apple", "a  apple")),
        ("a {red} apple }{", ("a {red} apple }{",)),
        ("{a|b}\nc", ("a", "b", "c")),
    ],
)
def test_what_a_text_stands_for(text: str, prompts: tuple[str, ...]) -> None:
    assert variations(text) == prompts


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{a|b}" * 10, "prompts must be at most 64 prompts, not 1,024."),
        ("{a|b}" * 40, "prompts must be at most 64 prompts, not more than 1,000,000,000."),
        ("{|||}" * 12_800, "not more than 1,000,000,000."),  # 7,707 digits, which Python does not write
        ("a\n" * 65, "at most 64 prompts, not 65"),
        ("{a|{b|c}}", "must not hold alternatives {a|b} within alternatives"),
        ("a" * 1001, "at most 1,000 characters"),
        ("a" * 64_001, "at most 64,000 characters"),
        ("a\0b", "control character"),
        ("{{" + "|" * 63_990, "at most 1,000 characters"),  # minutes, where the same text is tried over and over
        ("{" * 63_990 + "|", "at most 1,000 characters"),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    with pytest.raises(RecipeError) as told:
        variations(text)
    assert problem in str(told.value)


@given(st.text(alphabet="ab{}|\n ", max_size=40))
def test_any_text_is_prompts_or_one_error(text: str) -> None:
    try:
        prompts = variations(text)
    except RecipeError:
        return
    assert len(prompts) <= 64
    assert all("\n" not in prompt for prompt in prompts)
