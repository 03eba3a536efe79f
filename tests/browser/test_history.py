"""The history in the browser: a finished picture is kept, and entries are searched, starred, deleted and opened."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.history_entries import ENTRIES, import_entries, many
from tests.browser.running import begin, press, state, tab
from tests.browser.test_access import violations
from tests.ui_page import GRADIO_WARNING

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]


def test_a_finished_picture_is_kept_across_a_reload_and_opens_again(open_page: OpenPage) -> None:
    page = open_page()
    page.check("#field-last_stage input[value=sr256]")
    begin(page, "a kept apple", steps=3)
    state(page, "finished")
    seed = page.locator("#field-seed input").input_value()
    tab(page, "History")
    expect(page.locator(".history-entry")).to_have_count(1)
    page.reload()
    page.wait_for_selector(".lane[data-stage=sr1024]")
    tab(page, "History")
    expect(page.locator(".history-facts")).to_contain_text(f"seed {seed}")
    image = page.locator(".history-entry img")
    assert image.evaluate("async (image) => { await image.decode(); return image.naturalWidth; }") == 96
    page.locator(".history-open").press("Enter")
    expect(page.locator("#view .status")).to_contain_text("Opened a recipe of the history")
    expect(page.locator("#field-prompt textarea")).to_have_value("a kept apple")
    expect(page.locator("#field-seed input")).to_have_value(seed)
    expect(page.locator("#field-base-num_steps input[type=number]")).to_have_value("3")
    press(page, "#generate")
    state(page, "finished")
    expect(page.locator(".verdict")).to_have_text("Compared with the picture that was shared: identical.")
    tab(page, "History")
    expect(page.locator(".history-entry")).to_have_count(1)  # the same picture is not there twice


def test_search_star_delete_and_undo(open_page: OpenPage) -> None:
    page = open_page()
    tab(page, "History")
    expect(page.locator(".history-status")).to_contain_text("Nothing yet")
    import_entries(page, ENTRIES)
    expect(page.locator(".history-status")).to_have_text("Imported 3.")
    expect(page.locator(".history-prompt")).to_have_text(["a red car", "<b>a blue pear</b>", "a red apple"])
    search = page.locator(".history-search input")
    search.fill("RED a")
    expect(page.locator(".history-entry")).to_have_count(2)
    search.fill("rust")
    expect(page.locator(".history-prompt")).to_have_text(["a red car"])
    search.fill("77 car")
    expect(page.locator(".history-prompt")).to_have_text(["a red car"])
    page.locator(".history-star").press("Enter")
    expect(page.locator(".history-star")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".history-star")).to_be_focused()
    search.fill("no such thing")
    expect(page.locator(".history-status")).to_have_text("No picture here has these words.")
    search.fill("")
    page.check(".history-starred input")
    expect(page.locator(".history-entry")).to_have_count(2)
    page.uncheck(".history-starred input")
    expect(page.locator(".history-entry")).to_have_count(3)
    page.locator(".history-delete").nth(1).press("Enter")
    expect(page.locator(".history-prompt")).to_have_text(["a red car", "a red apple"])
    expect(page.locator(".history-undo")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".history-prompt")).to_have_text(["a red car", "<b>a blue pear</b>", "a red apple"])
    page.click(".history-clear")
    expect(page.locator(".history-entry")).to_have_count(2)
    page.reload()
    tab(page, "History")
    expect(page.locator(".history-prompt")).to_have_text(["a red car", "<b>a blue pear</b>"])


def test_more_is_shown_where_the_focus_then_is(open_page: OpenPage) -> None:
    page = open_page()
    tab(page, "History")
    import_entries(page, many(70))
    expect(page.locator(".history-entry")).to_have_count(60)
    page.locator(".history-more").press("Enter")
    expect(page.locator(".history-entry")).to_have_count(70)
    expect(page.locator(".history-open").nth(60)).to_be_focused()
    page.evaluate("window.dispatchEvent(new Event('imagen:history'))")  # a picture was finished meanwhile
    expect(page.locator(".history-open").nth(60)).to_be_focused()


def test_axe_finds_nothing_in_the_history(open_page: OpenPage) -> None:
    page = open_page(dark=True)
    tab(page, "History")
    import_entries(page, ENTRIES)
    expect(page.locator(".history-entry")).to_have_count(3)
    assert violations(page) == []
