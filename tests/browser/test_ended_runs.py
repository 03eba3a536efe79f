"""Runs that end early: stopped, left, lost; what a browser tells of it, and what it does not believe."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.running import begin, begin_long, state, until
from tests.ui_page import GRADIO_WARNING, Recorded

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]

ROOT = Path(__file__).resolve().parents[2]
LOSE = "window.dispatchEvent(new Event('imagen:lost'))"  # gradio's news that a run broke off; it does not say which


def stopped(page: Page) -> Page:
    """The page when a run was stopped while it drew."""
    begin_long(page, "a stopped apple")
    expect(page.locator("#view .status")).to_contain_text("Drawing at 64")
    page.click("#stop")
    state(page, "stopped")
    return page


def test_stop_ends_the_run_and_keeps_what_was_drawn(open_page: OpenPage, imagen: Recorded) -> None:
    page = open_page()
    begin_long(page, "a stopped apple")
    lane = page.locator(".lane[data-stage=base]")
    until(lambda: int(lane.get_attribute("data-frames") or 0) >= 2)
    page.click("#stop")
    state(page, "stopped")
    until(lambda: imagen.runs[-1].closed, seconds=2)
    expect(lane).to_have_attribute("data-state", "stopped")
    frames = lane.get_attribute("data-frames")
    time.sleep(0.5)
    assert lane.get_attribute("data-frames") == frames
    expect(page.locator("#view .status")).to_have_text("Stopped. What was drawn so far stays.")
    begin(page, "another apple", steps=4)  # and the page is ready for the next
    state(page, "finished")


def test_late_news_of_a_stopped_run_do_not_end_the_next_one(open_page: OpenPage) -> None:
    page = stopped(open_page())
    begin(page, "another apple", steps=4)
    page.evaluate(LOSE)
    state(page, "finished")
    expect(page.locator("#view .problem")).to_be_hidden()


def test_the_news_are_believed_where_nothing_else_is_heard(open_page: OpenPage) -> None:
    page = stopped(open_page())
    page.evaluate("window.dispatchEvent(new Event('imagen:begin'))")  # a run that no server knows
    page.evaluate(LOSE)
    state(page, "failed")
    expect(page.locator("#view .problem")).to_contain_text("The server did not take the run")


def test_a_run_that_was_believed_lost_comes_back(open_page: OpenPage) -> None:
    page = open_page()
    begin(page, "a slow apple", steps=250)
    expect(page.locator("#view .status")).to_contain_text("Drawing at 64")
    page.evaluate(LOSE)
    state(page, "finished")
    expect(page.locator("#view .problem")).to_be_hidden()
    expect(page.locator(".lane[data-stage=base]")).to_have_attribute("data-state", "done")


def test_closed_tab_ends_the_run(open_page: OpenPage, imagen: Recorded) -> None:
    page = open_page()
    before = len(imagen.runs)
    begin_long(page, "a lonely apple")
    until(lambda: len(imagen.runs) > before)
    run = imagen.runs[-1]
    assert not run.closed
    page.close()
    until(lambda: run.closed)


SERVE = """
import time
from tests.ui_page import recorded, served
with served(recorded) as url:
    print(url, flush=True)
    time.sleep(600)
"""


def test_server_that_is_killed_is_noticed(browser: Browser) -> None:
    """The page went on "running" for good: gradio's client does not tell of a stream that broke off."""
    command = [sys.executable, "-W", "ignore", "-c", SERVE]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            drawing, waiting = browser.new_page(), browser.new_page()
            for page in (drawing, waiting):
                page.goto(url)
                page.wait_for_selector(".lane[data-stage=sr1024]")
                begin_long(page, "a long apple")
            lane = drawing.locator(".lane[data-stage=base]")
            until(lambda: int(lane.get_attribute("data-frames") or 0) >= 1, seconds=30)
            expect(waiting.locator("#view .status")).to_contain_text("place 1 of 1")
        finally:
            server.kill()
    for page in (drawing, waiting):
        state(page, "failed")
        expect(page.locator("#view .problem")).to_contain_text("the connection to it broke")
        page.close()


def test_stop_leaves_the_queue(open_page: OpenPage, imagen: Recorded) -> None:
    first, second = open_page(), open_page()
    begin(first, "a first apple", steps=250)
    expect(first.locator(".lane[data-stage=base]")).to_have_attribute("data-state", "running")
    runs = len(imagen.runs)
    begin(second, "a second apple", steps=5)
    second.click("#stop")
    state(second, "stopped")
    state(first, "finished")
    second.wait_for_timeout(500)
    assert len(imagen.runs) == runs
