"""A PNG that is dropped on any tab is opened where a visitor sees it: a recipe in Create, a sheet in Sweep."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from imagen_core.contact_sheet import to_png
from imagen_core.metadata import save_png
from imagen_core.recipe import Recipe
from imagen_core.sweep import Sweep
from imagen_core.sweep_axis import Axis
from tests.browser.conftest import OpenPage
from tests.browser.running import begin, state, tab
from tests.browser.test_access import violations
from tests.ui_page import GRADIO_WARNING

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]

LONG = 60_000  # milliseconds that a busy machine may take
RECIPE = Recipe(prompt="a dropped apple", seed=5)
SWEEP = Sweep(RECIPE, (Axis.of("base.guidance_scale", "1,3"), Axis.of("base.scheduler", "ddim,euler")))


def drop(page: Page, path: Path) -> None:
    page.evaluate(
        """(bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], 'apple.png', { type: 'image/png' }));
          document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        list(path.read_bytes()),
    )


def shown(page: Page, name: str) -> None:
    expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")


def test_picture_on_another_tab_opens_in_create(open_page: OpenPage, tmp_path: Path) -> None:
    save_png(Image.new("RGB", (64, 64)), RECIPE, tmp_path / "apple.png")
    page = open_page()
    tab(page, "About")
    drop(page, tmp_path / "apple.png")
    shown(page, "Create")
    expect(page.locator("#view .status")).to_contain_text("Opened the picture's recipe")
    expect(page.locator("#field-prompt textarea")).to_have_value("a dropped apple")


def test_a_dropped_picture_asks_before_it_overwrites_an_edited_form(open_page: OpenPage, tmp_path: Path) -> None:
    save_png(Image.new("RGB", (64, 64)), RECIPE, tmp_path / "apple.png")
    page = open_page()
    prompt, question = page.locator("#field-prompt textarea"), page.locator(".question")
    prompt.fill("my own words")
    drop(page, tmp_path / "apple.png")
    expect(question).to_contain_text("Open “a dropped apple” in their place?")
    expect(page.locator(".question-open")).to_be_focused()
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(question).not_to_be_visible()
    expect(prompt).to_have_value("my own words")
    drop(page, tmp_path / "apple.png")
    expect(question).to_be_visible()
    page.keyboard.press("Enter")
    expect(prompt).to_have_value("a dropped apple")
    expect(question).not_to_be_visible()
    with page.expect_response(lambda response: response.url.endswith("/run/predict")):  # the server has noted it
        begin(page, "drawn, so nothing is lost", steps=2)
    state(page, "finished")
    drop(page, tmp_path / "apple.png")
    expect(prompt).to_have_value("a dropped apple")
    expect(question).not_to_be_visible()


def test_sheet_opens_its_sweep(open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "sheet.png").write_bytes(to_png(SWEEP, [Image.new("RGB", (8, 8))] * 4))
    page = open_page()
    page.fill("#field-prompt textarea", "my own words")
    drop(page, tmp_path / "sheet.png")
    expect(page.locator(".question")).to_contain_text("Open “a dropped apple” in their place?")
    page.keyboard.press("Enter")
    shown(page, "Sweep")
    expect(page.locator(".sweep .status")).to_have_text("Opened a sweep: press Draw.")
    expect(page.locator("#field-sweep-x-values textarea")).to_have_value("1,3")
    expect(page.locator("#field-sweep-y-values textarea")).to_have_value("ddim,euler")
    expect(page.locator("#field-sweep-y input")).to_have_value("base.scheduler")
    tab(page, "Create")
    expect(page.locator("#field-prompt textarea")).to_have_value("a dropped apple")


def test_a_sheet_is_told_where_a_sweep_was_drawn_or_lost_before(open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "sheet.png").write_bytes(to_png(SWEEP, [Image.new("RGB", (8, 8))] * 4))
    page = open_page(query=SWEEP.to_link())
    status = page.locator(".sweep .status")
    expect(status).to_have_text("Opened a sweep: press Draw.", timeout=LONG)
    page.click("#draw-sweep")
    expect(page.locator(".sweep")).to_have_attribute("data-state", "finished", timeout=LONG)
    drop(page, tmp_path / "sheet.png")
    expect(status).to_have_text("Opened a sweep: press Draw.", timeout=LONG)
    for event in ("begin", "lost"):  # as if the server had not taken it
        page.evaluate(f"window.dispatchEvent(new Event('imagen:{event}-sweep'))")
    expect(page.locator(".sweep")).to_have_attribute("data-state", "failed")
    drop(page, tmp_path / "sheet.png")
    expect(status).to_have_text("Opened a sweep: press Draw.", timeout=LONG)
    expect(page.locator(".sweep")).to_have_attribute("data-state", "failed")
    page.click("#draw-sweep")
    expect(page.locator(".sweep")).to_have_attribute("data-state", "finished", timeout=LONG)
