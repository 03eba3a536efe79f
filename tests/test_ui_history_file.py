"""An exported history is read as a stranger's file: recipes come through, everything else is told or left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagen_core.check import Check, StageCheck, digest, link_with_check
from imagen_core.recipe import Recipe
from imagen_core.ui import history_file
from imagen_core.ui.history_file import FORMAT, MAX_ENTRIES, MAX_LENGTH, read_history

LINK = link_with_check(Recipe(prompt="an apple"), Check(digest(b"w"), (StageCheck("abcdefgh", (7,) * 48),)))
GOOD = {"link": LINK, "time": 1_790_000_000_000, "thumbnail": "data:image/jpeg;base64,/9j/4AAQ", "starred": True}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda v: st.lists(v) | st.dictionaries(st.text(), v),
)


def file(*entries: object, **others: object) -> str:
    return json.dumps({"format": FORMAT, "version": 1, "entries": entries} | others)


def test_good_entries_come_through_as_they_are() -> None:
    assert read_history(file(GOOD)) == {"entries": [GOOD], "refused": 0, "reason": ""}
    plain = GOOD | {"link": Recipe(prompt="ein Apfel 🍎").to_link(), "thumbnail": "", "starred": False}
    assert read_history(file(plain, GOOD))["entries"] == [plain, GOOD]


def test_a_recipe_of_many_long_prompts_comes_through() -> None:
    """The export wrote such entries, nine characters of link for a letter, and the import refused them."""
    prompt = "林檎" * 500
    stages = {stage: {"prompt": prompt} for stage in ("base", "sr256", "sr1024")}
    recipe = Recipe(prompt=prompt, negative_prompt=prompt, seed=7).updated(stages)
    entry = GOOD | {"link": recipe.to_link()}
    assert read_history(file(entry)) == {"entries": [entry], "refused": 0, "reason": ""}


def test_one_history_is_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_file, "_PATIENCE", 0.0)
    with history_file._turn:
        answer = read_history(file(GOOD))
    assert answer == {"problem": "Others are importing histories at the moment: try again in a minute."}
    assert read_history(file(GOOD))["entries"] == [GOOD]
    assert "problem" in read_history("{")
    assert read_history(file(GOOD))["entries"] == [GOOD]  # whatever the one before was


def test_nothing_foreign_is_handed_on() -> None:
    (entry,) = read_history(file(GOOD | {"id": "x", "onclick": "alert(1)", "starred": "yes"}))["entries"]  # type: ignore[misc]
    assert entry == GOOD | {"starred": False}
    (entry,) = read_history(file(GOOD | {"link": "prompt=<b>&seed=7&check=<script>"}))["entries"]  # type: ignore[misc]
    assert entry["link"] == Recipe(prompt="<b>", seed=7).to_link()


@pytest.mark.parametrize(
    "change",
    [
        {"link": "prompt=a&seed=-1"},
        {"link": "prompt=a&colour=red"},
        {"link": "javascript:alert(1)"},
        {"link": 7},
        {"link": "prompt=" + "a" * 30_000},
        {"time": "yesterday"},
        {"time": True},
        {"time": -1},
        {"time": 1e300},
        {"thumbnail": "https://example.org/spy.jpg"},
        {"thumbnail": "data:image/svg+xml;base64,AAAA"},
        {"thumbnail": 'data:image/jpeg;base64,AAAA" onerror="alert(1)'},
        {"thumbnail": "data:image/jpeg;base64," + "A" * 50_000},
        {"thumbnail": None},
    ],
)
def test_bad_entries_are_left_out_with_the_reason(change: dict[str, object]) -> None:
    answer = read_history(file(GOOD | change, GOOD, 7))
    assert answer["entries"] == [GOOD]
    assert answer["refused"] == 2
    assert str(answer["reason"]).endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        "null",
        file(format="another"),
        file(version=2),
        file(version=True),
        file(entries={}),
        file(*[7] * (MAX_ENTRIES + 1)),
        " " * (MAX_LENGTH + 1),
        None,
        7,
        {"entries": []},
        '{"format": NaN}',
    ],
)
def test_what_is_no_history_is_told_in_a_sentence(text: object) -> None:
    answer = read_history(text)
    assert list(answer) == ["problem"]
    assert "program itself" not in str(answer["problem"])


@given(
    st.lists(st.dictionaries(st.sampled_from(["link", "time", "thumbnail", "starred"]), values) | values, max_size=4)
)
def test_any_entries_are_good_or_left_out(entries: list[Any]) -> None:
    answer = read_history(file(*entries))
    assert len(answer["entries"]) + answer["refused"] == len(entries)  # type: ignore[arg-type, operator]
