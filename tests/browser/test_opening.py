"""What a visitor opens: a picture, a link."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from imagen_core.metadata import save_png
from imagen_core.recipe import Recipe
from tests.browser.conftest import OpenPage
from tests.browser.running import finished_picture, press, state
from tests.ui_page import GRADIO_WARNING

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]


def test_dropped_picture_opens_its_recipe(open_page: OpenPage, tmp_path: Path) -> None:
    recipe = Recipe(prompt="ein Apfel 🍎", negative_prompt="blau", seed=99).updated(
        {"sr256": {"num_steps": 3, "seed": 5}}
    )
    save_png(Image.new("RGB", (64, 64)), recipe, tmp_path / "apple.png")
    page = open_page()
    page.evaluate(
        """(bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], 'apple.png', { type: 'image/png' }));
          document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        list((tmp_path / "apple.png").read_bytes()),
    )
    expect(page.locator("#view .status")).to_contain_text("Opened the picture's recipe")
    expect(page.locator("#field-prompt textarea")).to_have_value("ein Apfel 🍎")
    press(page, "#generate")
    state(page, "finished")
    data = io.BytesIO(finished_picture(page))
    assert Image.open(data).text["imagen_recipe"] == recipe.to_json()  # type: ignore[attr-defined]


def test_foreign_picture_is_refused_in_a_sentence_that_stays(open_page: OpenPage, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "foreign.png")
    page = open_page()
    page.set_input_files("input[type=file]", tmp_path / "foreign.png")
    expect(page.locator("#view .problem")).to_contain_text("carries no recipe")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("prompt=a&colour=red", "This link cannot be opened: colour is not among the known names"),
        ("prompt=a&seed=-1", "This link cannot be opened: seed must be a whole number"),
        ("prompt=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&seed=x", "seed must be a whole number"),
    ],
)
def test_broken_link_is_told(open_page: OpenPage, query: str, sentence: str) -> None:
    page = open_page(query=query)
    expect(page.locator("#view .problem")).to_contain_text(sentence)
    expect(page.locator("#field-prompt textarea")).to_have_value("")


def test_link_to_a_long_run_waits_for_a_click(open_page: OpenPage) -> None:
    page = open_page(query="prompt=a+costly+apple&num_images=16")
    expect(page.locator("#view .status")).to_contain_text("press Generate to begin")
    expect(page.locator("#field-num_images input")).to_have_value("16")
    expect(page.locator("#view .cascade")).to_have_attribute("data-state", "empty")
