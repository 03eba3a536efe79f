"""Which prompts a run tells of, in what order, and how."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imagen_core.events import Event, PromptEncoded, StageFinished, StageStarted
from imagen_core.imagen import Imagen
from tests.cascade_runs import fast
from tests.drawn_in_a_folder import ONE_STAGE, drawn
from tests.text_encoders import runs_of

SHORT = replace(fast(), last_stage="sr256")


def told(events: list[Event]) -> list[tuple[str, bool]]:
    return [(event.prompt, event.negative) for event in events if isinstance(event, PromptEncoded)]


def test_a_negative_prompt_is_told_before_the_first_stage_that_it_guides(tiny_imagen: Imagen) -> None:
    recipe = replace(SHORT, negative_prompt="a (猫:1.5) " + "and green " * 60)
    runs = runs_of(tiny_imagen.cascade.text_encoder)
    events = list(tiny_imagen.stream(recipe))
    first, second, third, *_ = events
    assert isinstance(first, PromptEncoded)
    assert isinstance(second, PromptEncoded)
    assert isinstance(third, StageStarted)
    assert (first.prompt, first.negative) == ("a red apple", False)
    assert second.negative
    assert second.prompt.startswith("a 猫 and green")
    assert second.unknown == ("猫",)
    assert second.cut
    assert len(told(events)) == len(runs) == 2


@pytest.mark.parametrize(
    "values",
    [
        {"negative_prompt": " "},
        {"base": {"guidance_scale": 1}},
        {"base": {"guidance_start": 0.5, "guidance_end": 0.5}},
        {"base": {"num_steps": 3, "guidance_start": 0.4, "guidance_end": 0.6}},  # between two steps
    ],
)
def test_what_guidance_does_not_use_is_not_told(tiny_imagen: Imagen, values: dict[str, object]) -> None:
    recipe = SHORT.updated({"negative_prompt": "blue"} | values)
    assert told(list(tiny_imagen.stream(recipe))) == [("a red apple", False)]


def test_the_same_words_are_told_once_in_each_role(tiny_imagen: Imagen) -> None:
    recipe = SHORT.updated({"negative_prompt": "a red apple", "sr256": {"guidance_scale": 2}})
    events = list(tiny_imagen.stream(recipe))
    assert told(events) == [("a red apple", False), ("a red apple", True)]
    only_later = SHORT.updated(
        {"negative_prompt": "blue", "base": {"guidance_scale": 1}, "sr256": {"guidance_scale": 2}}
    )
    kinds = [type(event) for event in tiny_imagen.stream(only_later)]
    assert [place for place, kind in enumerate(kinds) if kind is PromptEncoded] == [0, kinds.index(StageFinished) + 1]


def test_a_fork_whose_own_steps_are_not_guided_reads_no_negative_prompt(tiny_imagen: Imagen) -> None:
    parent = SHORT.updated({"negative_prompt": "blue", "last_stage": "base"})
    fork = parent.forked("base", 2, {"base": {"guidance_end": 0.5}})
    assert told(list(tiny_imagen.stream(parent))) == [("a red apple", False), ("blue", True)]
    assert told(list(tiny_imagen.stream(fork))) == [("a red apple", False)]
    assert told(list(tiny_imagen.stream(parent.forked("base", 2, {"seed": 8})))) == [
        ("a red apple", False),
        ("blue", True),
    ]


def test_a_stage_that_is_kept_is_told_by_its_end_alone_and_a_new_prompt_behind_it(tiny_imagen: Imagen) -> None:
    list(tiny_imagen.stream(SHORT))
    kinds = [type(event).__name__ for event in tiny_imagen.stream(SHORT)]
    assert kinds == ["PromptEncoded", "StageFinished", "StageFinished"]
    own = SHORT.updated({"sr256": {"prompt": "a pear", "num_steps": 1}})
    kinds = [type(event).__name__ for event in tiny_imagen.stream(own)]
    assert kinds == ["PromptEncoded", "StageFinished", "PromptEncoded", "StageStarted", "Preview", "StageFinished"]


@pytest.mark.usefixtures("folder")
def test_the_command_line_notes_that_it_is_the_negative_prompt(
    tiny_imagen: Imagen, capsys: pytest.CaptureFixture[str]
) -> None:
    assert drawn(tiny_imagen, "x", "--negative-prompt", "a 猫", *ONE_STAGE) == 0
    note = "imagen_core: note: of the negative prompt the text encoder does not know '猫'.\n"
    assert capsys.readouterr().err == note
    assert drawn(tiny_imagen, "x", "--negative-prompt", "apple " * 160, *ONE_STAGE) == 0
    errors = capsys.readouterr().err
    assert errors.startswith("imagen_core: note: of the negative prompt the text encoder reads 64 tokens, and ")
    assert drawn(tiny_imagen, "x", "--negative-prompt", "a 猫", "--guidance-scale", "1", *ONE_STAGE) == 0
    assert capsys.readouterr().err == ""
