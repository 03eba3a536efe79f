"""What a visitor of the wall is told, without a browser."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest
import torch
from PIL import Image

from imagen_core.draft_wall import DraftStep
from imagen_core.imagen import Imagen
from imagen_core.images import to_pil
from imagen_core.recipe import Recipe
from imagen_core.ui.draft_handlers import DraftControls, DraftHandlers
from imagen_core.ui.draft_messages import DraftMessages, sheet
from imagen_core.ui.promoting import Promoting
from tests.ui_page import in_a_loop, models_of, placed_form

SMALL = Recipe(prompt="a {red|blue} apple", seed=7, last_stage="sr256").updated({"base": {"num_steps": 3}})
VISITOR = gr.Request(session_hash="someone")


class Page:
    """The form and the controls of the wall, placed but not served."""

    def __init__(self) -> None:
        with gr.Blocks(analytics_enabled=False):
            self.form = placed_form()
            self.controls = DraftControls(gr.Slider(), gr.Textbox())


@pytest.fixture(scope="module")
def page() -> Page:
    return in_a_loop(Page)


def handlers(page: Page, imagen: Imagen) -> DraftHandlers:
    return DraftHandlers(models_of(imagen), page.form, page.controls)


def drawing(page: Page, imagen: Imagen, recipe: Recipe, **given: object) -> Iterator[dict[str, Any]]:
    own = {page.controls.num_drafts: given.get("count", 4), page.controls.prompts: given.get("prompts", "")}
    return handlers(page, imagen).draw(page.form.show(recipe) | own, VISITOR)


def picture(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_wall_tells_its_drafts_and_ends_with_their_pixels(page: Page, tiny_imagen: Imagen) -> None:
    begun, loading, *steps, finished = drawing(page, tiny_imagen, SMALL)
    assert loading["kind"] == "note"
    told = [(draft["prompt"], draft["seed"]) for draft in begun["drafts"]]
    assert told == [("a red apple", 7), ("a blue apple", 7), ("a red apple", 8), ("a blue apple", 8)]
    assert finished["kind"] == "finished"
    assert {message["kind"] for message in steps} == {"drafts"}
    seen = {draft: step for message in steps for draft, step in zip(message["drafts"], message["steps"], strict=True)}
    assert seen == dict.fromkeys(range(4), 3)


def test_variations_of_the_tab_take_the_prompts_place(page: Page, tiny_imagen: Imagen) -> None:
    begun = next(drawing(page, tiny_imagen, SMALL, prompts="a cake\na duck", count=2))
    assert [draft["prompt"] for draft in begun["drafts"]] == ["a cake", "a duck"]


def test_lines_of_the_forms_prompt_are_one_prompt(page: Page, tiny_imagen: Imagen) -> None:
    """Text that was copied from a word processor has other line ends, and the wall took them for several prompts."""
    begun = next(drawing(page, tiny_imagen, Recipe(prompt="a red\u2028apple\nand\u2029a pear"), count=1))
    assert [draft["prompt"] for draft in begun["drafts"]] == ["a red apple and a pear"]


@pytest.mark.parametrize(("count", "prompts"), [(0, ""), (65, ""), (1.5, ""), ("9", ""), (4, None), (1, "{a|b}")])
def test_what_is_refused_is_a_sentence(page: Page, tiny_imagen: Imagen, count: object, prompts: object) -> None:
    [failed] = drawing(page, tiny_imagen, SMALL, count=count, prompts=prompts)
    assert failed["kind"] == "failed"
    assert failed["text"].startswith("num_drafts must")


def test_sheet_holds_the_pictures_in_their_places() -> None:
    pictures = torch.linspace(-1, 1, 11)[:, None, None, None].expand(11, 3, 64, 64)
    exact = picture(sheet(list(pictures), exact=True))
    assert exact.size == (512, 128)
    for index, tile in enumerate(to_pil(pictures)):
        left, top = index % 8 * 64, index // 8 * 64
        assert exact.crop((left, top, left + 64, top + 64)).tobytes() == tile.tobytes()
    assert picture(sheet(list(pictures), exact=False)).format == "JPEG"


def test_messages_come_80_ms_apart_and_nothing_is_lost() -> None:
    messages, pictures = DraftMessages(), torch.zeros(2, 3, 64, 64)
    first, held = (DraftStep((a, a + 1), 1, 1, pictures, (False, True)) for a in (0, 2))
    sent = messages.step(first)
    assert sent is not None
    assert (sent["drafts"], sent["refused"]) == ([0, 1], [1])
    assert messages.step(held) is None
    rest = messages.flush()
    assert rest is not None
    assert rest["drafts"] == [2, 3]
    assert messages.flush() is None


def test_stop_and_leaving_end_the_wall(page: Page, tiny_imagen: Imagen) -> None:
    own = handlers(page, tiny_imagen)
    values = page.form.show(SMALL.updated({"base": {"num_steps": 250}}))
    values |= {page.controls.num_drafts: 4, page.controls.prompts: ""}
    run = own.draw(values, VISITOR)
    while next(run)["kind"] != "drafts":
        pass
    own.leave(VISITOR)
    assert [message["kind"] for message in run][-1] == "stopped"


def test_another_tabs_stop_leaves_the_wall_alone(page: Page, tiny_imagen: Imagen) -> None:
    """Stop in Sweep ended the wall: its promoted pictures and the wall were of one list."""
    own, other = handlers(page, tiny_imagen), Promoting(models_of(tiny_imagen))
    values = page.form.show(SMALL) | {page.controls.num_drafts: 2, page.controls.prompts: ""}
    run = own.draw(values, VISITOR)
    next(run)
    other.stop(VISITOR)
    assert [message["kind"] for message in run][-1] == "finished"
