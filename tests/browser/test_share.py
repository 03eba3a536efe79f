"""A shared link tells whether the picture that it draws is the one that was shared; a QR code shows it to a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from imagen_core.check import Check
from imagen_core.metadata import Carried
from imagen_core.recipe import Recipe
from tests.browser.conftest import OpenPage
from tests.browser.running import begin, finished_picture, press, state
from tests.ui_page import GRADIO_WARNING

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]


def copied(page: Page) -> str:
    page.click(".copy")
    expect(page.locator(".copy")).to_have_text("Link copied")
    query = page.evaluate("navigator.clipboard.readText()").partition("?")[2]
    assert isinstance(query, str)
    return query


def test_a_link_says_whether_the_picture_is_the_shared_one(open_page: OpenPage) -> None:
    page = open_page()
    begin(page, "a shared apple", steps=4)
    state(page, "finished")
    expect(page.locator(".verdict")).not_to_be_visible()  # nothing was opened, so there is nothing to compare with
    query = copied(page)
    assert len(query) < 1000
    text = query.rpartition("&check=")[2]
    assert Check.from_text(text) == Carried(finished_picture(page)).check()

    other = open_page(query=query)
    state(other, "finished")
    expect(other.locator(".verdict")).to_have_text("Compared with the picture that was shared: identical.")
    seed = other.locator("#field-seed input")
    shared = seed.input_value()
    other.click("#dice")  # another recipe: nothing to compare
    expect(seed).not_to_have_value(shared)
    press(other, "#generate")
    expect(other.locator(".verdict")).not_to_be_visible()
    state(other, "finished")
    expect(other.locator(".verdict")).not_to_be_visible()


def test_copying_the_older_way_leaves_the_focus_where_it_was(open_page: OpenPage) -> None:
    """Addresses without https have no other way, and the next Tab began at the top of the page."""
    page = open_page()
    begin(page, "an apple", steps=2)
    state(page, "finished")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.locator(".copy").press("Enter")
    expect(page.locator(".copy")).to_have_text("Link copied")
    expect(page.locator(".copy")).to_be_focused()


def test_a_link_to_another_picture_says_so_and_an_old_one_says_nothing(open_page: OpenPage) -> None:
    page = open_page()
    begin(page, "an apple", steps=4)
    state(page, "finished")
    query = copied(page)
    changed = open_page(query=re.sub("&seed=[0-9]+", "&seed=12345", query))
    state(changed, "finished")
    expect(changed.locator(".verdict")).to_contain_text("another picture")
    for old in (Recipe.from_link(query).to_link(), re.sub("check=.*", "check=1.damaged", query)):
        page = open_page(query=old)
        state(page, "finished")
        expect(page.locator(".verdict")).not_to_be_visible()


@pytest.mark.parametrize("width", [1440, 390])
def test_qr_code_opens_and_closes(open_page: OpenPage, width: int) -> None:
    page = open_page(width=width, height=844)
    begin(page, "an apple", steps=3)
    state(page, "finished")
    page.locator(".qr-open").press("Enter")
    expect(page.locator(".qr-text")).to_contain_text("This page runs on this machine only")
    image = page.locator(".qr-image")
    expect(image).to_be_visible()
    assert image.evaluate("async (image) => { await image.decode(); return image.naturalWidth; }") > 60
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    page.keyboard.press("Escape")
    expect(page.locator(".qr")).not_to_be_visible()
    expect(page.locator(".qr-open")).to_be_focused()


def test_a_link_that_is_too_long_for_a_qr_code_is_told(open_page: OpenPage) -> None:
    page = open_page()
    begin(page, "🍎" * 300, steps=2)
    state(page, "finished")
    page.click(".qr-open")
    expect(page.locator(".qr-text")).to_contain_text("a QR code that a phone can read holds 2,000")
    expect(page.locator(".qr-image")).not_to_be_visible()
