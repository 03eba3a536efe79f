"""What a visitor can set, and what the page says of it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.holding import held
from tests.browser.running import begin, state
from tests.ui_page import GRADIO_WARNING, Recorded

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]


def test_seed_is_new_unless_locked(open_page: OpenPage) -> None:
    page = open_page()
    seed = page.locator("#field-seed input")
    seed.fill("7")
    page.check("#lock input")
    begin(page, "an apple", steps=2)
    state(page, "finished")
    expect(seed).to_have_value("7")
    page.uncheck("#lock input")
    begin(page, "an apple", steps=2)
    expect(seed).not_to_have_value("7")
    drawn = seed.input_value()
    state(page, "finished")
    expect(page.locator(".result-text")).to_contain_text(f"Seed {drawn}.")
    page.click("#dice")
    expect(seed).not_to_have_value(drawn)
    expect(page.locator("#lock input")).to_be_checked()  # what was thrown is drawn
    thrown = seed.input_value()
    begin(page, "an apple", steps=2)
    state(page, "finished")
    expect(page.locator(".result-text")).to_contain_text(f"Seed {thrown}.")


def test_a_seed_that_is_typed_is_drawn(open_page: OpenPage) -> None:
    page = open_page()
    expect(page.locator("#lock input")).not_to_be_checked()
    page.fill("#field-seed input", "7")
    page.keyboard.press("Tab")
    expect(page.locator("#lock input")).to_be_checked()
    begin(page, "an apple", steps=2)
    state(page, "finished")
    expect(page.locator(".result-text")).to_contain_text("Seed 7.")


@pytest.mark.parametrize("example", ["#surprise", "#examples .chip:not(#surprise)"])
def test_an_example_does_not_overwrite_the_prompt_that_is_being_drawn(
    open_page: OpenPage, imagen: Recorded, example: str
) -> None:
    page = open_page()
    prompt = page.locator("#field-prompt textarea")
    with held(imagen, "base", 1):
        begin(page, "my own words", steps=3)
        state(page, "running")
        button = page.locator(example).first
        expect(button).to_have_attribute("aria-disabled", "true")
        button.click(force=True)
        button.press("Enter")
        page.wait_for_timeout(300)
        expect(prompt).to_have_value("my own words")
    state(page, "finished")
    expect(prompt).to_have_value("my own words")  # the server had the whole run to answer in
    page.locator(example).first.click()
    expect(prompt).not_to_have_value("my own words")
    state(page, "running")


def test_keys_draw_nothing_behind_an_open_dialog(open_page: OpenPage, imagen: Recorded) -> None:
    page = open_page()
    begin(page, "an apple", steps=2)
    state(page, "finished")
    runs = len(imagen.runs)
    page.click("#view .qr-open")
    expect(page.locator("dialog.qr")).to_be_visible()
    page.keyboard.press("Control+Enter")
    page.wait_for_timeout(300)
    state(page, "finished")
    assert len(imagen.runs) == runs
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Enter")
    page.wait_for_function("document.querySelector('#view .cascade').dataset.state === 'running'")


def test_reading_tells_tokens_cut_and_unknown_words(open_page: OpenPage) -> None:
    page = open_page()
    reading = page.locator("#reading-prompt .reading")
    page.fill("#field-prompt textarea", "a red apple")
    expect(reading).to_contain_text("5 of 64 tokens.")
    page.fill("#field-prompt textarea", "a red apple " * 40 + "犬")
    expect(reading).to_contain_text("this is cut off")
    expect(reading).to_contain_text("Unknown to the text encoder, so ignored: 犬.")
    page.fill("#field-prompt textarea", "a walrus beneath a red apple")
    expect(reading).to_contain_text("Not among what the model was trained to draw: walrus.")
    page.fill("#field-prompt textarea", "a" * 1001)
    expect(reading).to_have_text("prompt must be at most 1,000 characters, not 1,001.")
    page.fill("#field-prompt textarea", "")
    expect(reading).to_have_text("")


def test_negative_prompt_is_read_too(open_page: OpenPage) -> None:
    page = open_page()
    page.fill("#field-negative_prompt textarea", "犬")
    expect(page.locator("#reading-negative_prompt .reading")).to_contain_text("Unknown to the text encoder")
    expect(page.locator("#reading-prompt .reading")).to_have_text("")


def test_list_of_what_the_model_knows_is_searched_and_fills_the_prompt(open_page: OpenPage) -> None:
    page = open_page()
    page.click("button[role=tab]:has-text('About')")
    panel = page.locator("#vocabulary")
    search = panel.locator("input[type=search]")
    search.fill("PUPPY")
    expect(panel.locator("button:visible")).to_have_text(["dog"])
    expect(panel.locator(".vocabulary-count")).to_have_text("1 entry")
    panel.locator("button:visible").click()
    search.fill("<b>")
    expect(panel.locator(".vocabulary-count")).to_have_text("Nothing here is called “<b>”.")
    search.fill("beach")
    panel.locator("button:visible").click()
    page.click("button[role=tab]:has-text('Create')")
    expect(page.locator("#field-prompt textarea")).to_have_value("dog on a beach")
    expect(page.locator("#reading-prompt .reading")).to_contain_text("tokens")


def test_control_enter_begins(open_page: OpenPage) -> None:
    page = open_page()
    page.fill("#field-prompt textarea", "an apple")
    page.fill("#field-negative_prompt textarea", "blue")
    page.keyboard.press("Control+Enter")
    state(page, "finished")


def test_control_enter_begins_nothing_where_nothing_is_drawn(open_page: OpenPage) -> None:
    page = open_page()
    page.fill("#field-prompt textarea", "an apple")
    page.evaluate("window.addEventListener('imagen:begin', () => (window.begunForTest = true))")
    for tab in ("History", "About"):
        page.click(f"button[role=tab]:has-text('{tab}')")
        expect(page.locator("#generate")).not_to_be_visible()
        page.keyboard.press("Control+Enter")
    page.click("button[role=tab]:has-text('Create')")
    expect(page.locator("#generate")).to_be_visible()
    assert page.evaluate("window.begunForTest") is None
    page.keyboard.press("Control+Enter")
    page.wait_for_function("window.begunForTest")
    state(page, "finished")


def test_markup_in_a_prompt_stays_text(open_page: OpenPage) -> None:
    page = open_page(query="prompt=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%7B%7Bvalue%7D%7D%24%7Balert(1)%7D")
    state(page, "finished")
    expect(page.locator("#field-prompt textarea")).to_have_value("<img src=x onerror=alert(1)>{{value}}${alert(1)}")


def test_wrong_value_is_told_and_marked_until_it_is_mended(open_page: OpenPage) -> None:
    page = open_page()
    page.check("#lock input")
    page.fill("#field-seed input", "1.5")
    begin(page, "an apple")
    state(page, "failed")
    expect(page.locator("#view .problem")).to_have_text("Seed must be a whole number from 0 to 4294967295, not 1.5.")
    expect(page.locator("#field-seed.field-problem")).to_have_count(1)
    page.wait_for_timeout(1500)
    expect(page.locator("#view .problem")).to_be_visible()
    page.fill("#field-seed input", "1")
    begin(page, "an apple", steps=2)
    state(page, "finished")
    expect(page.locator("#view .problem")).not_to_be_visible()
    expect(page.locator(".field-problem")).to_have_count(0)
