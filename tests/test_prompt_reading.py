"""How a prompt is read before anything runs: its tokens, where it is cut, and which words are unknown."""

from __future__ import annotations

import pytest

from imagen_core.text_encoder import TextEncoder
from tests.text_encoders import assert_same, bundled, runs_of, tiny, with_limit

__all__ = ["bundled", "tiny"]  # fixtures


@pytest.mark.parametrize(
    ("prompt", "num_tokens"),
    [
        ("", 1),
        ("red", 2),
        ("red apple on table", 5),
        ("red apple on a table", 7),  # a lone "a" is a space piece and a letter piece in T5's vocabulary
        ("red  apple\n\ton table", 5),
    ],
)
def test_the_end_of_text_counts_as_a_token(prompt: str, num_tokens: int) -> None:
    reading = with_limit(64).read(prompt)
    assert (reading.num_tokens, reading.max_tokens) == (num_tokens, 64)
    assert (reading.kept, reading.cut, reading.unknown) == (prompt, "", ())
    assert with_limit(64).encode(prompt).states.shape == (1, num_tokens, 32)


def test_reading_runs_no_network(tiny: TextEncoder) -> None:
    runs = runs_of(tiny)
    tiny.read("a red apple")
    assert not runs
    assert not tiny.is_cached("a red apple")


def test_a_prompt_of_exactly_the_limit_is_whole_and_one_more_word_is_cut() -> None:
    fits = " ".join(["red"] * 63)
    reading = with_limit(64).read(fits)
    assert (reading.num_tokens, reading.kept, reading.cut) == (64, fits, "")
    reading = with_limit(64).read(f"{fits} apple pie")
    assert reading.num_tokens == 66
    assert reading.kept == fits
    assert reading.cut == " apple pie"


@pytest.mark.parametrize(
    "prompt",
    [
        "a red apple on a wooden table",
        "Ein schöner roter Apfel, un chat noir; o pisică neagră!",
        "strawberries and watermelons, " * 3,
        "猫 and 🐱 and ½ of a ﬁsh and nai\u0308ve",
        "  leading,   inner   and trailing   ",
        "</s> a <extra_id_3> b",
        "\u202eright to left שלום",
    ],
)
@pytest.mark.parametrize("max_tokens", [2, 3, 5, 9])
def test_what_is_kept_and_what_is_cut_make_the_prompt(prompt: str, max_tokens: int) -> None:
    encoder = with_limit(max_tokens)
    reading = encoder.read(prompt)
    assert reading.kept + reading.cut == prompt
    assert bool(reading.cut) == (reading.num_tokens > max_tokens)
    assert encoder.encode(prompt).states.shape[1] == min(reading.num_tokens, max_tokens)


def test_the_network_sees_what_is_kept_and_nothing_of_what_is_cut(bundled: TextEncoder) -> None:
    words = " ".join(["red", "apple", "on", "wooden", "table"] * 13)  # 65 pieces and the end
    reading = bundled.read(f"{words} under a starry sky")
    assert reading.kept == words.rsplit(" ", 2)[0]
    assert_same(bundled.encode(f"{words} under a starry sky"), bundled.encode(reading.kept))
    assert_same(bundled.encode(f"{words} in the snow"), bundled.encode(reading.kept))


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [
        ("a red apple", ()),
        ("ein schöner Apfel, élan à la carte, țară și pisică", ()),  # German, French, Romanian
        ("a 猫 on a mat", ("猫",)),
        ("a 🐱, and a 🐱. 猫cat!?", ("🐱", "猫cat")),
        ("שלום", ("שלום",)),
        ("猫" * 100, ("猫" * 40,)),
    ],
)
def test_words_that_the_vocabulary_cannot_spell_are_named(prompt: str, unknown: tuple[str, ...]) -> None:
    assert with_limit(64).read(prompt).unknown == unknown


def test_an_unknown_word_is_named_once_and_in_order() -> None:
    assert with_limit(64).read("🐱 猫 🐱 red 猫").unknown == ("🐱", "猫")
