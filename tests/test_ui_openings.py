"""Recipes from outside reach the form, after a question where that would overwrite what nobody kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image
from starlette.datastructures import QueryParams

from imagen_core import png_text
from imagen_core.check import Check, Shared, StageCheck, digest, link_with_check
from imagen_core.contact_sheet import KEY, to_png
from imagen_core.metadata import MetadataError, png_with, save_png
from imagen_core.recipe import Recipe
from imagen_core.recipe_source import read_source
from imagen_core.sweep import Sweep
from imagen_core.sweep_axis import Axis
from imagen_core.ui.opened import carried_by
from imagen_core.ui.openings import Openings
from tests.test_ui_handlers import Page, page  # noqa: F401  the fixture `page`

OTHER = Recipe(prompt="a pear", seed=5)
CHECK = Check(digest(b"weights"), (StageCheck.of(Image.new("RGB", (8, 8))),))


@pytest.fixture
def openings(page: Page) -> Openings:  # noqa: F811
    return page.openings


def shown(openings: Openings, answer: dict[Any, Any]) -> Recipe:
    return openings.form.recipe({control: answer[control] for control in openings.form.controls.values()})


def message(openings: Openings, answer: dict[Any, Any]) -> dict[str, Any]:
    found = answer[openings.outputs.view]
    assert isinstance(found, dict)
    return found


def test_an_entry_of_the_history_fills_a_form_that_nobody_touched(openings: Openings) -> None:
    answer = openings.open_entry(link_with_check(OTHER, CHECK), openings.form.show(Recipe()))
    assert shown(openings, answer) == OTHER
    assert answer[openings.outputs.shared] == Shared(OTHER, CHECK)
    assert answer[openings.outputs.settled] == OTHER
    assert answer[openings.outputs.lock] is True
    assert message(openings, answer)["kind"] == "opened"


def test_a_form_that_was_edited_is_asked_about_and_yes_opens(openings: Openings, tmp_path: Path) -> None:
    outputs = openings.outputs
    edited: dict[Any, Any] = openings.form.show(Recipe(prompt="mine")) | {outputs.settled: None}
    save_png(Image.new("RGB", (8, 8)), OTHER, tmp_path / "pear.png", CHECK)
    for answer in (
        openings.open_picture(str(tmp_path / "pear.png"), edited),
        openings.open_entry(OTHER.to_link(), edited),
        openings.recall(OTHER.to_link(), edited),
        openings.open_chosen(edited, gr.EventData(None, {"link": OTHER.to_link()})),
    ):
        assert set(answer) == {outputs.question, outputs.pending, outputs.view}
        asked: Any = answer[outputs.question]
        assert "“a pear”" in asked["text"]
        opened = openings.open_pending(answer[outputs.pending])
        assert shown(openings, opened) == OTHER
        assert opened[outputs.pending] is None


def test_a_sheet_opens_its_sweep_and_asks_as_a_picture_does(openings: Openings, tmp_path: Path) -> None:
    sweep = Sweep(OTHER, (Axis.of("base.guidance_scale", "1, 3"),))
    (tmp_path / "sheet.png").write_bytes(to_png(sweep, [Image.new("RGB", (8, 8))] * 2))
    outputs = openings.outputs
    answer = openings.open_picture(str(tmp_path / "sheet.png"), openings.form.show(Recipe()))
    assert shown(openings, answer) == OTHER
    assert [answer[control] for control in outputs.sweep.of_axes] == ["base.guidance_scale", "1,3", "none", ""]
    assert message(openings, answer)["swept"] is True
    assert set(answer) <= set(openings.changed)
    edited: dict[Any, Any] = openings.form.show(Recipe(prompt="mine")) | {outputs.settled: None}
    asked = openings.open_picture(str(tmp_path / "sheet.png"), edited)
    assert set(asked) == {outputs.question, outputs.pending, outputs.view}
    opened = openings.open_pending(asked[outputs.pending])
    assert opened[outputs.sweep.axes[0].name] == "base.guidance_scale"


def test_a_file_is_gone_through_once_whatever_it_carries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three times 20 MB were read and their checksums compared, for what is in the first of them."""
    sweep = Sweep(OTHER, (Axis.of("base.guidance_scale", "1, 3"),))
    (tmp_path / "sheet.png").write_bytes(to_png(sweep, [Image.new("RGB", (8, 8))] * 2))
    save_png(Image.new("RGB", (8, 8)), OTHER, tmp_path / "pear.png", CHECK)
    (tmp_path / "other.png").write_bytes(png_with(Image.new("RGB", (8, 8)), {}, "bundled"))
    gone_through: list[int] = []
    chunks = png_text._chunks

    def counted(data: bytes) -> Iterator[tuple[bytes, bytes]]:
        gone_through.append(len(data))
        return chunks(data)

    monkeypatch.setattr(png_text, "_chunks", counted)
    assert carried_by(tmp_path / "sheet.png").sweep == sweep
    assert carried_by(tmp_path / "pear.png").shared == Shared(OTHER, CHECK)
    assert read_source(str(tmp_path / "sheet.png")).axes == sweep.axes
    assert read_source(str(tmp_path / "pear.png")).shared == Shared(OTHER, CHECK)
    for read in (lambda: carried_by(tmp_path / "other.png"), lambda: read_source(str(tmp_path / "other.png"))):
        with pytest.raises(MetadataError, match=r"^'other\.png' carries no recipe"):
            read()
    assert len(gone_through) == 6


def test_a_sheet_with_a_broken_sweep_is_told(openings: Openings, tmp_path: Path) -> None:
    (tmp_path / "sheet.png").write_bytes(png_with(Image.new("RGB", (8, 8)), {KEY: "sweep.x=colour:1"}, "bundled"))
    answer = openings.open_picture(str(tmp_path / "sheet.png"), openings.form.show(Recipe()))
    assert message(openings, answer)["text"].startswith("The sheet carries a sweep that is not valid: colour is not")


def test_what_was_drawn_or_opened_last_is_overwritten_without_a_question(openings: Openings) -> None:
    mine = Recipe(prompt="mine")
    drawn = openings.form.show(mine) | {openings.outputs.settled: openings.settle(openings.form.show(mine))}
    for answer in (
        openings.open_entry(OTHER.to_link(), drawn),
        openings.recall(OTHER.to_link(), drawn),
        openings.open_chosen(drawn, gr.EventData(None, {"link": OTHER.to_link()})),
    ):
        assert shown(openings, answer) == OTHER
    edited = openings.form.show(Recipe(prompt="mine, edited")) | {openings.outputs.settled: mine}
    assert openings.outputs.question in openings.open_entry(OTHER.to_link(), edited)


def test_a_form_with_a_wrong_value_counts_as_edited(openings: Openings) -> None:
    values = openings.form.show(Recipe()) | {openings.form.controls["seed"]: 1.5, openings.outputs.settled: None}
    assert openings.settle(values) is None
    assert openings.outputs.question in openings.open_entry(OTHER.to_link(), values)


@pytest.mark.parametrize("link", [None, 7, "", "seed=-1", "colour=red", "%zz", ["prompt=a"]])
def test_an_entry_that_is_no_recipe_of_this_page_is_told(openings: Openings, link: object) -> None:
    answer = openings.open_entry(link, openings.form.show(Recipe()))
    if link == "":
        assert shown(openings, answer) == Recipe()
        return
    assert list(answer) == [openings.outputs.view]
    assert message(openings, answer)["kind"] == "refused"


@pytest.mark.parametrize("pending", [None, 7, {}, "prompt=a"])
def test_a_yes_to_no_question_changes_nothing(openings: Openings, pending: object) -> None:
    assert openings.open_pending(pending) == {openings.outputs.view: gr.skip()}


def test_a_form_comes_back_as_it_was_and_counts_as_edited(openings: Openings) -> None:
    mine = Recipe(prompt="mine", seed=9).updated({"sr256": {"prompt": "of glass", "num_steps": 3}})
    values = openings.form.show(mine)
    kept = {name: values[control] for name, control in openings.form.controls.items() if name != "model"}
    answer = openings.bring_back(kept | {"lock": False, "unknown": 7}, {})
    assert shown(openings, answer | {openings.form.controls["model"]: "bundled"}) == mine
    assert answer[openings.outputs.lock] is False
    assert openings.outputs.settled not in answer
    assert message(openings, answer)["replay"] is False
    broken = openings.bring_back(kept | {"seed": 1.5}, {})
    assert broken[openings.form.controls["prompt"]] == "mine"
    assert openings.form.controls["seed"] not in broken


def arrived(query: str) -> gr.Request:
    return gr.Request(query_params=QueryParams(query))


def test_a_sweep_s_link_fills_the_form_and_the_axes(openings: Openings) -> None:
    sweep = Sweep(OTHER, (Axis.of("seed", "3,4"), Axis.of("base.scheduler", "ddim,euler")))
    outputs = openings.outputs
    answer = openings.open_link(arrived(f"__theme=dark&{sweep.to_link()}"))
    assert shown(openings, answer) == OTHER
    assert [answer[control] for control in outputs.sweep.of_axes] == ["seed", "3,4", "base.scheduler", "ddim,euler"]
    assert message(openings, answer)["replay"] is False
    axes = openings.axes_in_link(arrived(sweep.to_link()))  # the page was loaded anew
    assert set(axes) == {*outputs.sweep.of_axes, outputs.sweep.view}
    back = openings.bring_back({"prompt": "mine"}, axes)
    assert back[openings.form.controls["prompt"]] == "mine"
    assert back[outputs.sweep.axes[0].values] == "3,4"
    assert message(openings, back)["swept"] is True
    for other in ("", "prompt=a", "prompt=a&sweep.x=colour:1"):
        assert openings.axes_in_link(arrived(other)) == {}
    broken = openings.open_link(arrived("prompt=a&sweep.x=colour:1"))
    assert message(openings, broken)["text"].startswith("This link cannot be opened: colour is not among")


def test_a_fork_comes_back_with_the_form_as_far_as_it_is_a_recipe(openings: Openings) -> None:
    values = openings.form.show(replace(OTHER, prompt="a plum"))
    kept = {name: values[control] for name, control in openings.form.controls.items()}
    told = message(openings, openings.bring_back(kept | {"fork": f"base.3.restarted?{OTHER.to_link()}"}, {}))
    parent = {"link": OTHER.to_link(), "prompt": "a pear", "seed": 5}
    assert told["fork"] == {"stage": "base", "step": 3, "history": "restarted", "parent": parent}
    assert told["text"] == "The page was loaded anew; your settings are back."
    for broken in (
        "base.900?prompt=a",
        "base.3",
        "?",
        "sr256.0?seed=-1",
        7,
        {"a": []},
        f"sr256.0?{Recipe(seed=5, num_images=2).to_link()}",
    ):
        answer = openings.bring_back(kept | {"fork": broken}, {})
        assert answer[openings.form.controls["prompt"]] == "a plum"
        assert message(openings, answer)["fork"] is None
        assert "your settings are back, but not the fork: " in message(openings, answer)["text"]
