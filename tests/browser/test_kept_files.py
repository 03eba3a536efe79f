"""A finished picture is there as long as the page, though the server deletes its files after an hour or two."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from imagen_core.contact_sheet import read_sweep
from tests.browser.conftest import OpenPage
from tests.browser.running import begin, finished_picture, saved, state
from tests.browser.test_sweep import SWEEP, sweep
from tests.ui_page import GRADIO_WARNING

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]

SHEET_GONE = "The server no longer keeps this sheet: press Draw the sweep to make it again."
GONE = "The server no longer keeps this picture: press Generate to draw it again."


@pytest.fixture
def fileless(browser: Browser, address: str) -> Iterator[Page]:
    """The page of a server that has deleted its files."""
    context = browser.new_context()
    page = context.new_page()
    page.route("**/file=**", lambda route: route.fulfill(status=404))
    page.goto(address)
    page.wait_for_selector(".lane[data-stage=sr1024]")
    yield page
    context.close()


def test_the_browser_has_a_copy_of_the_picture(open_page: OpenPage) -> None:
    page = open_page()
    begin(page, "an apple", steps=2)
    state(page, "finished")
    expect(page.locator(".download")).to_have_attribute("href", re.compile("^blob:"))
    page.route("**/file=**", lambda route: route.abort())
    assert finished_picture(page).startswith(b"\x89PNG")
    with page.expect_download() as download:
        page.click(".download")
    assert download.value.suggested_filename.startswith("an-apple-")
    expect(page.locator(".lane[data-stage=sr1024] .picture.now .final")).to_be_visible()


def test_a_press_on_download_waits_for_the_copy_that_is_being_taken(open_page: OpenPage) -> None:
    """It took another one, and nothing let go of the first."""
    page, held = open_page(), True
    copies: list[Route] = []

    def slow(route: Route) -> None:
        if route.request.resource_type == "fetch":
            copies.append(route)
        if route.request.resource_type != "fetch" or not held:
            route.continue_()

    page.route("**/file=**", slow)
    begin(page, "an apple", steps=2)
    state(page, "finished")
    with page.expect_download():
        page.click(".download")
        held = False
        for route in list(copies):
            route.continue_()
    assert len(copies) == 1


def test_a_picture_that_is_gone_is_told_and_its_last_step_is_shown(fileless: Page) -> None:
    begin(fileless, "an apple", steps=2)
    state(fileless, "finished")
    picture = fileless.locator(".lane[data-stage=sr1024] .picture.now")
    expect(picture.locator(".final")).to_be_hidden()
    expect(picture.locator("canvas[role=img]")).to_have_attribute("data-painted", re.compile("^x_0 "))
    address = fileless.url
    fileless.click(".download")
    expect(fileless.locator("#view .problem")).to_have_text(GONE)
    assert fileless.url == address


def draw_sweep(page: Page) -> None:
    page.goto(f"{page.url.partition('?')[0]}?{SWEEP.to_link()}")
    expect(page.locator(".sweep .status")).to_have_text("Opened a sweep: press Draw.")
    page.click("#draw-sweep")
    sweep(page, "finished")


def test_the_browser_has_a_copy_of_a_sweep_s_sheet(open_page: OpenPage) -> None:
    """The link led to a file that the server deletes after an hour or two."""
    page = open_page()
    draw_sweep(page)
    expect(page.locator(".save-sheet")).to_have_attribute("href", re.compile("^blob:"))
    page.route("**/file=**", lambda route: route.abort())
    assert read_sweep(saved(page.locator(".save-sheet"))) == SWEEP
    with page.expect_download() as download:
        page.click(".save-sheet")
    assert download.value.suggested_filename == "sweep-7.png"


def test_a_sheet_that_is_gone_is_told(fileless: Page) -> None:
    draw_sweep(fileless)
    address = fileless.url
    fileless.click(".save-sheet")
    expect(fileless.locator(".sweep .problem")).to_have_text(SHEET_GONE)
    assert fileless.url == address
