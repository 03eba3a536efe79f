"""The words of the prompt and their dial, in a browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from imagen_core.metadata import read_recipe
from tests.browser.conftest import OpenPage
from tests.browser.running import begin, finished_picture, state
from tests.browser.test_access import violations
from tests.ui_page import GRADIO_WARNING

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]


def chips(page: Page, prompt: str) -> Locator:
    """The words of a prompt that was typed, with the panel open."""
    page.fill("#field-prompt textarea", prompt)
    page.click(".words-panel summary")
    found = page.locator(".word-chips button")
    expect(found.first).to_be_visible()
    return found


def test_a_dial_writes_the_weight_into_the_prompt_and_the_picture(open_page: OpenPage) -> None:
    page = open_page()
    words = chips(page, "a red <b>apple</b>")
    expect(words).to_have_text(["a", "red", "<b>apple</b>"])
    words.nth(1).click()
    expect(page.locator(".word-dial label")).to_contain_text("Weight of “red”")
    for _ in range(4):
        page.click(".word-controls .more")
    prompt = page.locator("#field-prompt textarea")
    expect(prompt).to_have_value("a (red:1.4) <b>apple</b>")
    expect(words.nth(1)).to_have_text("red ×1.4")
    expect(page.locator("#reading-prompt .reading")).to_contain_text("tokens.")
    expect(page.locator("#reading-prompt .reading")).not_to_contain_text("1.4")
    assert violations(page) == []
    page.check("#field-last_stage input[value=base]")
    begin(page, "a (red:1.4) apple", steps=2)
    state(page, "finished")
    assert read_recipe(finished_picture(page)).prompt == "a (red:1.4) apple"
    words.nth(1).click()  # gives the dial back
    expect(page.locator(".word-dial")).to_be_hidden()


def test_the_dial_weighs_the_word_that_was_chosen_and_no_other(open_page: OpenPage) -> None:
    """Words before it were typed while it was chosen: its place was that of another word."""
    page = open_page()
    words = chips(page, "a red apple")
    words.nth(1).click()
    prompt = page.locator("#field-prompt textarea")
    prompt.fill("one big red apple")
    page.click(".word-controls .more")  # before the words are read anew: nothing, or the right word
    expect(words).to_have_count(4)
    expect(words.nth(2)).to_have_attribute("aria-pressed", "true")
    assert prompt.input_value() in ("one big red apple", "one big (red:1.1) apple")
    page.click(".word-controls .even")
    page.click(".word-controls .more")
    expect(prompt).to_have_value("one big (red:1.1) apple")
    prompt.fill("one big apple")
    expect(words).to_have_count(3)
    expect(page.locator(".word-dial")).to_be_hidden()


def test_the_dial_works_with_the_keyboard_alone(open_page: OpenPage) -> None:
    page = open_page(dark=True)
    words = chips(page, "a red apple")
    words.nth(2).press("Enter")
    slider = page.locator("#word-weight")
    slider.press("Home")
    prompt = page.locator("#field-prompt textarea")
    expect(prompt).to_have_value("a red (apple:0)")
    expect(words.nth(2)).to_have_attribute("data-weight", "none")
    expect(slider).to_have_attribute("aria-valuetext", "0 times")
    slider.press("End")
    expect(prompt).to_have_value("a red (apple:3)")
    page.locator(".word-controls .even").press("Enter")
    expect(prompt).to_have_value("a red apple")
    assert violations(page) == []


def test_a_weight_out_of_range_is_told_under_the_prompt(open_page: OpenPage) -> None:
    page = open_page()
    page.fill("#field-prompt textarea", "a (red:7) apple")
    expect(page.locator("#reading-prompt .reading")).to_contain_text("must weigh words from 0 to 3, not 7")
    page.click("#generate")
    expect(page.locator("#view .problem")).to_contain_text("must weigh words from 0 to 3, not 7")


def test_the_panel_fits_a_phone(open_page: OpenPage) -> None:
    page = open_page(width=390, height=844)
    words = chips(page, "three blue stars above a green turtle on a beach, flat illustration " + "x" * 60)
    words.nth(2).tap()
    page.locator(".word-controls .less").tap()
    expect(words.nth(2)).to_have_text("stars ×0.9")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    for button in page.locator(".words-panel button:visible").all():
        box = button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
