"""Maps of words over the pictures: pointed at, chosen, with keys, along the timeline, and beside a kept run."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from imagen_core.ui import messages
from tests.browser.conftest import OpenPage
from tests.browser.running import begin, state
from tests.browser.test_access import violations
from tests.browser.test_timeline import WAIT, every_step
from tests.ui_page import GRADIO_WARNING

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]
__all__ = ["every_step"]  # a fixture

PIXELS = "(canvas) => canvas.toDataURL()"


def mapped(page: Page, prompt: str = "a red apple", images: int = 1) -> Locator:
    """The words of a finished run with maps; 64 pixels only, which is enough and quick."""
    page.check("#attention input")
    page.check("#field-last_stage input[value=base]")
    page.fill("#field-num_images input", str(images))
    begin(page, prompt, steps=4)
    state(page, "finished")
    chips = page.locator(".map-chips button")
    expect(chips).to_have_text(prompt.split(), timeout=WAIT)
    return chips


def heat(page: Page, which: str = "now") -> Locator:
    return page.locator(f".lane[data-stage=base] .picture.{which} .heat")


def painted(canvas: Locator, what: str) -> str:
    """The pixels of a map once it is the wanted one."""
    expect(canvas).to_have_attribute("data-painted", what, timeout=WAIT)
    expect(canvas).to_be_visible()
    return str(canvas.evaluate(PIXELS))


def test_a_word_shows_its_map_while_it_is_pointed_at_or_chosen(open_page: OpenPage) -> None:
    page = open_page()
    expect(page.locator(".word-maps")).to_be_hidden()
    words = mapped(page)
    expect(heat(page)).to_be_hidden()
    words.nth(1).hover()
    red = painted(heat(page), "red 1 4")
    words.nth(2).hover()
    apple = painted(heat(page), "apple 1 4")
    assert red != apple
    page.mouse.move(5, 5)
    expect(heat(page)).to_be_hidden()
    words.nth(1).click()
    page.mouse.move(5, 5)
    expect(words.nth(1)).to_have_attribute("aria-pressed", "true")
    assert painted(heat(page), "red 1 4") == red
    expect(page.locator(".map-text")).to_contain_text("“red” at 64 pixels, step 4: dark is no attention, bright is")
    page.locator(".track").press("Home")
    assert painted(heat(page), "red 1 1") != red
    expect(page.locator(".map-text")).to_contain_text("step 1")
    assert violations(page) == []
    words.nth(1).press("Escape")
    expect(heat(page)).to_be_hidden()
    expect(words.nth(1)).to_have_attribute("aria-pressed", "false")


def test_the_keyboard_is_enough_and_the_share_is_an_instrument(open_page: OpenPage) -> None:
    page = open_page(dark=True)
    words = mapped(page)
    words.nth(0).focus()
    page.keyboard.press("Tab")
    painted(heat(page), "red 1 4")
    page.click(".instrument-panel summary")
    chart = page.locator(".chart:has(.chart-name:text-is('attention to text'))")
    expect(chart).to_be_visible(timeout=WAIT)
    expect(chart.locator(".chart-value")).to_contain_text("%")
    assert violations(page) == []


def test_without_the_switch_nothing_is_asked_or_shown(open_page: OpenPage) -> None:
    page = open_page()
    page.check("#field-last_stage input[value=base]")
    begin(page, "a plain apple", steps=2)
    state(page, "finished")
    expect(page.locator(".word-maps")).to_be_hidden()
    page.click(".instrument-panel summary")
    expect(page.locator(".chart:not([hidden])")).to_have_count(6, timeout=WAIT)


def test_a_kept_run_has_its_own_map_of_the_same_word(open_page: OpenPage) -> None:
    page = open_page()
    mapped(page, "a red apple")
    page.click(".keep")
    words = mapped(page, "a red house")
    words.nth(1).click()
    assert painted(heat(page), "red 1 4") != painted(heat(page, "kept"), "red 1 4")
    words.nth(2).click()
    painted(heat(page), "house 1 4")
    expect(heat(page, "kept")).to_be_hidden()  # that run had no house


def test_every_image_of_a_grid_has_its_map_on_a_phone(open_page: OpenPage) -> None:
    page = open_page(width=390, height=844)
    words = mapped(page, "a red <b>apple</b>", images=3)
    words.nth(2).tap()
    all_of_them = painted(heat(page), "<b>apple</b> 1 4")
    assert heat(page).evaluate("(canvas) => canvas.width") == 2 * 8  # the tiny network's maps are 8 wide
    page.uncheck(".grid-switch")
    expect(heat(page)).to_have_js_property("width", 8, timeout=WAIT)
    assert heat(page).evaluate(PIXELS) != all_of_them
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    for chip in [*words.all(), page.locator("#attention label")]:
        box = chip.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44


def test_the_only_map_of_several_images_keeps_to_its_image(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_MAPS_BYTES", 1)  # the first image's maps are sent all the same
    page = open_page()
    mapped(page, images=3).nth(2).click()
    painted(heat(page), "apple 1 4")
    for columns in (2, 1, 2):
        page.locator(".grid-switch").set_checked(columns == 2)
        expect(heat(page)).to_have_js_property("width", 8 * columns)  # the tiny network's maps are 8 wide
