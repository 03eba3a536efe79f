"""Weights of words in a prompt: what is syntax, what is text, and that both ways agree."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagen_core import prompt_weights
from imagen_core.prompt_weights import WeightedPrompt, parse, weigh, words, write
from imagen_core.recipe import Recipe, RecipeError

PIECES = st.sampled_from(
    [
        "(",
        ")",
        ":",
        "\\",
        "1.4",
        "0",
        "3",
        ".5",
        "2.",
        " ",
        "\n",
        "a",
        "red",
        "é",
        "🍎",
        ":1.5)",
        "(b:2)",
        "\\(",
        "-",
        ",",
    ]
)


def parts(prompt: str) -> list[tuple[str, float]]:
    """Every word's text with its weight."""
    weighted = parse(prompt)
    return [(word.text, weighted.mean_weight(word.start, word.end)) for word in words(weighted.text)]


@pytest.mark.parametrize(
    ("prompt", "text", "expected"),
    [
        ("a (red:1.4) apple", "a red apple", [("a", 1), ("red", 1.4), ("apple", 1)]),
        ("(two words:0.5) here", "two words here", [("two", 0.5), ("words", 0.5), ("here", 1)]),
        ("(a:0)", "a", [("a", 0)]),
        ("(a:3)", "a", [("a", 3)]),
        ("(a: +.5 )", "a", [("a", 0.5)]),
        ("(a:2.)", "a", [("a", 2)]),
        ("(a (red:1.5) apple:2)", "a red apple", [("a", 2), ("red", 3), ("apple", 2)]),
        ("(a (small) cat:1.2)", "a (small) cat", [("a", 1.2), ("small", 1.2), ("cat", 1.2)]),
        ("((cat:2)", "(cat", [("cat", 2)]),
        ("(cat:2))", "cat)", [("cat", 2)]),
        ("(3:2:1.5)", "3:2", [("3:2", 1.5)]),
        ("((at 10:30):2)", "(at 10:30)", [("at", 2), ("10:30", 2)]),
        ("(🍎 ÉTÉ:1.1)", "🍎 ÉTÉ", [("🍎", 1.1), ("ÉTÉ", 1.1)]),
    ],
)
def test_a_bracket_with_a_number_weighs(prompt: str, text: str, expected: list[tuple[str, float]]) -> None:
    assert parse(prompt).text == text
    assert parts(prompt) == expected


@pytest.mark.parametrize(
    "prompt", ["(" * 333 + "1 " * 166 + ")" * 335, "(" * 333 + "ab" * 166 + ")" * 335, "a (b:1) " * 125]
)
def test_brackets_in_brackets_are_not_read_over_and_over(prompt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All within a bracket was searched at its end for a weight: a history of such prompts took minutes."""
    searched: list[int] = []

    class Pattern:
        def __init__(self, pattern: re.Pattern[str]) -> None:
            self.pattern = pattern

        def search(self, text: str) -> re.Match[str] | None:
            searched.append(len(text))
            return self.pattern.search(text)

    for name in ("_TIME", "_WEIGHT"):
        monkeypatch.setattr(prompt_weights, name, Pattern(getattr(prompt_weights, name)))
    parse.__wrapped__(prompt)
    assert sum(searched) <= 2 * len(prompt)


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("(a:" + " " * 50 + "1.4" + "\t" * 50 + ")", "a"),  # spaces do not count as a weight's length
        ("(10:30:2)", "10:30"),
        ("(:10:2)", ":10"),
        ("(a:2:10)", "(a:2:10)"),
        ("((10:30))", "((10:30))"),
    ],
)
def test_a_weight_is_found_at_the_end_of_its_bracket_only(prompt: str, text: str) -> None:
    assert parse(prompt).text == text


@pytest.mark.parametrize(
    "prompt",
    [
        "a cat (asleep)",
        "a clock (at 10:30)",
        "(John 3:16) on a wall",
        "(9:99)",
        "(at 10:30 )",
        "(Psalm 119:105)",
        "(cat)",
        "(cat:)",
        "(cat:much)",
        "(:1.4)",
        "( :1.4)",
        "(cat:1.4",
        "cat:1.4)",
        "cat:1.4",
        "(cat:1,4)",
        "(cat:1.4!)",
        "[cat:1.4]",
        "(cat:nan)",
        "(cat:1e1)",
        "(cat:١)",
        "a\\b ¯\\_ \\\\o/",
        "",
    ],
)
def test_everything_else_is_text(prompt: str) -> None:
    assert parse(prompt) == WeightedPrompt(prompt, (1.0,) * len(prompt))


@pytest.mark.parametrize(
    ("prompt", "text"),
    [(r"\(cat:1.4\)", "(cat:1.4)"), (r"\(cat:1.4)", "(cat:1.4)"), (r"(cat:1.4\)", "(cat:1.4)"), (r"\\(a)", r"\(a)")],
)
def test_escaped_brackets_are_text(prompt: str, text: str) -> None:
    assert parse(prompt) == WeightedPrompt(text, (1.0,) * len(text))


@pytest.mark.parametrize("prompt", ["(cat:3.01)", "(cat:-0.1)", "(cat:12)", "((a:2):2)", "(a:" + "9" * 20 + ")"])
def test_a_weight_out_of_range_is_one_sentence_at_every_door(prompt: str) -> None:
    with pytest.raises(RecipeError, match=r"^prompt must weigh words from 0 to 3, not .*write \\\( for it\.$"):
        Recipe(prompt=prompt)
    with pytest.raises(RecipeError, match=r"^prompt must weigh .*, not 4 as in '\(red:4\)'; where that "):
        Recipe(prompt="a (red:4) apple")
    with pytest.raises(RecipeError, match=r"^prompt must weigh .*, not 4 as brackets in brackets make it"):
        Recipe(prompt="a ((red:2):2) apple")
    with pytest.raises(RecipeError, match=r"^negative_prompt must weigh"):
        Recipe(negative_prompt=prompt)
    with pytest.raises(RecipeError, match=r"^sr256.prompt must weigh"):
        Recipe().updated({"sr256": {"prompt": prompt}})
    Recipe(prompt=prompt.replace("(", r"\("))


def test_a_recipe_keeps_the_syntax() -> None:
    recipe = Recipe(prompt="a (red:1.4) apple")
    assert recipe.prompt == "a (red:1.4) apple"
    assert Recipe.from_link(recipe.to_link()) == recipe


def test_words_are_what_spaces_part_without_punctuation() -> None:
    text = "A red, red apple—“so ripe”! & 3:2 it's 🍎"
    assert [word.text for word in words(text)] == ["A", "red", "red", "apple—“so", "ripe", "3:2", "it's", "🍎"]
    assert all(text[word.start : word.end] == word.text for word in words(text))


@pytest.mark.parametrize(
    ("prompt", "word", "weight", "expected"),
    [
        ("a red apple", 1, 1.4, "a (red:1.4) apple"),
        ("a (red:1.4) apple", 1, 1, "a red apple"),
        ("a (red:1.4) apple", 2, 1.4, "a (red apple:1.4)"),
        ("(a red apple:2)", 1, 0, "(a:2) (red:0) (apple:2)"),
        ("a cat (asleep), here", 2, 1.5, "a cat ((asleep:1.5)), here"),
        (r"a \(cat:1.4\)", 0, 2, r"(a:2) \(cat:1.4\)"),
        ("red, green", 0, 0.5, "(red:0.5), green"),
        ("red\napple", 1, 0.25, "red\n(apple:0.25)"),
    ],
)
def test_a_dial_writes_the_syntax(prompt: str, word: int, weight: float, expected: str) -> None:
    assert weigh(prompt, word, weight) == expected


def test_a_dial_for_no_word_is_refused() -> None:
    for word in (-1, 2):
        with pytest.raises(RecipeError, match="must be one of the 2 words"):
            weigh("red apple", word, 1.2)
    with pytest.raises(RecipeError, match=r"^weight must weigh words from 0 to 3, not 3\.1"):
        weigh("red apple", 0, 3.1)


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -1.0])
def test_a_dial_out_of_range_is_told_nothing_of_brackets(weight: float) -> None:
    """There are none: it was advised to escape one all the same."""
    with pytest.raises(RecipeError) as told:
        weigh("red apple", 0, weight)
    assert str(told.value) == f"weight must weigh words from 0 to 3, not {weight:g}."


@given(st.lists(PIECES, max_size=14).map("".join))
def test_what_is_written_is_read_again(prompt: str) -> None:
    try:
        weighted = parse(prompt)
    except RecipeError:
        return
    assert parse(write(weighted)) == weighted
    assert all(0 <= weight <= 3 for weight in weighted.weights)
    assert len(weighted.weights) == len(weighted.text)


@given(st.lists(PIECES, max_size=10).map("".join), st.integers(0, 9), st.sampled_from([0, 0.3, 1, 1.4, 3]))
def test_a_dial_changes_one_word_and_no_letter(prompt: str, word: int, weight: float) -> None:
    try:
        before = parse(prompt)
    except RecipeError:
        return
    found = words(before.text)
    if word >= len(found):
        return
    after = parse(weigh(prompt, word, weight))
    assert after.text == before.text
    for place, character in enumerate(before.text):
        inside = found[word].start <= place < found[word].end
        if inside or not character.isspace():
            assert after.weights[place] == (weight if inside else before.weights[place])
