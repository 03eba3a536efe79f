"""Runs that end early: stopped, left, lost; what a browser tells of it, and what it does not believe."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from imagen_core.ui.visits import Visit
from tests.browser.conftest import OpenPage
from tests.browser.holding import held
from tests.browser.running import begin, finished_picture, state, until
from tests.browser.test_timeline import every_step
from tests.ui_page import GRADIO_WARNING, Recorded

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]
__all__ = ["every_step"]  # a fixture

ROOT = Path(__file__).resolve().parents[2]
SLOW_CANCEL = """() => {
  const fetched = window.fetch;
  window.fetch = async (address, ...others) => {
    if (!String(address).endsWith("/cancel")) return fetched(address, ...others);
    window.cancelling = true;
    await new Promise((done) => setTimeout(done, 2000));
    window.cancelling = false;
    return fetched(address, ...others);
  };
}"""
SLOW_JOIN = """() => {
  const fetched = window.fetch;
  window.fetch = async (address, ...others) => {
    const first = String(address).includes("/queue/join") && !window.join;
    if (first) await new Promise((done) => (window.join = done));
    return fetched(address, ...others);
  };
}"""
STOP_AT_ONCE = """() => {
  window.addEventListener("imagen:begin", () => document.querySelector("#stop").click(), { once: true });
  document.querySelector("#generate").click();
}"""
DEAF = """() => window.addEventListener("click", (event) => {
  if (/^(generate|draw-drafts)$/.test(event.target.id)) event.stopImmediatePropagation();
}, { capture: true })"""  # a run that is sent again does not reach gradio either
LOSE = "window.dispatchEvent(new Event('imagen:lost'))"  # gradio's news that a run broke off; it does not say which


def stopped(page: Page, imagen: Recorded) -> Page:
    """The page when a run was stopped behind its third step."""
    with held(imagen, "base", 3):
        begin(page, "a stopped apple", steps=5)
        expect(page.locator(".lane[data-stage=base]")).to_have_attribute("data-frames", "3")
        page.click("#stop")
        state(page, "stopped")
        until(lambda: imagen.runs[-1].closed)
    return page


def test_stop_ends_the_run_and_keeps_what_was_drawn(open_page: OpenPage, imagen: Recorded) -> None:
    page = stopped(open_page(), imagen)
    lane = page.locator(".lane[data-stage=base]")
    expect(lane).to_have_attribute("data-state", "stopped")
    time.sleep(0.5)  # the model could go on by now
    assert lane.get_attribute("data-frames") == "3"
    expect(page.locator("#view .status")).to_have_text("Stopped. What was drawn so far stays.")
    begin(page, "another apple", steps=4)  # and the page is ready for the next
    state(page, "finished")


def test_stop_at_once_ends_a_run_that_the_server_has_not_heard_of(open_page: OpenPage, imagen: Recorded) -> None:
    page = open_page()
    runs = len(imagen.runs)
    page.fill("#field-prompt textarea", "an apple")
    with held(imagen, "base", 1):
        page.evaluate(STOP_AT_ONCE)
        until(lambda: len(imagen.runs) > runs and imagen.runs[-1].closed)
        state(page, "stopped")
    begin(page, "another apple", steps=4)
    state(page, "finished")


def test_late_news_of_a_stopped_run_do_not_end_the_next_one(open_page: OpenPage, imagen: Recorded) -> None:
    page = stopped(open_page(), imagen)
    begin(page, "another apple", steps=4)
    page.evaluate(LOSE)
    state(page, "finished")
    expect(page.locator("#view .problem")).to_be_hidden()


def test_the_news_are_believed_where_nothing_else_is_heard(open_page: OpenPage, imagen: Recorded) -> None:
    page = stopped(open_page(), imagen)
    page.evaluate(DEAF)
    page.evaluate("window.dispatchEvent(new Event('imagen:begin'))")  # a run that no server knows
    page.evaluate(LOSE)
    state(page, "failed")
    expect(page.locator("#view .problem")).to_contain_text("The server did not take the run")


def test_a_run_that_gradio_passed_over_is_sent_again(
    open_page: OpenPage, imagen: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradio passes over a press while it takes back the run before, which does not end at once: the page waited on."""
    monkeypatch.setattr(Visit, "stop", lambda visit: None)
    page = open_page()
    page.evaluate(SLOW_CANCEL)
    with held(imagen, "base", 3):
        begin(page, "a stopped apple", steps=5)
        expect(page.locator(".lane[data-stage=base]")).to_have_attribute("data-frames", "3")
        page.click("#stop")
        state(page, "stopped")
        begin(page, "another apple", steps=4)
        assert page.evaluate("window.cancelling") is True  # or nothing was passed over
        page.wait_for_function("!window.cancelling")
    state(page, "finished")
    assert imagen.recipes[-1].prompt == "another apple"


@pytest.mark.parametrize("tab", ["Create", "Drafts"])
def test_a_run_of_which_nothing_is_heard_is_lost(open_page: OpenPage, tab: str) -> None:
    page, view = open_page(), "#view .cascade" if tab == "Create" else ".drafts"
    page.click(f"button[role=tab]:has-text('{tab}')")
    expect(page.locator(view)).to_be_visible()
    page.evaluate(DEAF)
    page.evaluate("(name) => window.dispatchEvent(new Event(name))", "imagen:begin" + ("-drafts" * (tab == "Drafts")))
    expect(page.locator(view)).to_have_attribute("data-state", "running")
    expect(page.locator(view)).to_have_attribute("data-state", "failed")
    expect(page.locator(f"{view} .problem")).to_contain_text("The server did not take the run")


def test_a_second_press_on_stop_does_not_wait_for_the_server(open_page: OpenPage, imagen: Recorded) -> None:
    page = open_page()
    page.evaluate(SLOW_JOIN)
    begin(page, "an apple", steps=4)
    page.click("#stop")
    expect(page.locator("#view .status")).to_contain_text("Press Stop again")
    page.click("#stop")
    state(page, "stopped")
    runs = len(imagen.runs)
    with held(imagen, "base", 1):
        page.evaluate("window.join()")
        until(lambda: len(imagen.runs) > runs and imagen.runs[-1].closed)  # it began after all
        state(page, "stopped")
    begin(page, "another apple", steps=4)
    state(page, "finished")


def test_a_run_that_was_believed_lost_comes_back(open_page: OpenPage, imagen: Recorded) -> None:
    page = open_page()
    with held(imagen, "base", 1):
        begin(page, "a slow apple", steps=5)
        expect(page.locator("#view .status")).to_contain_text("Drawing at 64")
        page.evaluate(LOSE)
        state(page, "failed")
    state(page, "finished")
    expect(page.locator("#view .problem")).to_be_hidden()
    expect(page.locator(".lane[data-stage=base]")).to_have_attribute("data-state", "done")
    begin(page, "another apple", steps=4)
    state(page, "finished")
    page.click(".runs summary")
    run = page.locator(".run-tree .run", has_text="a slow apple")
    expect(run).not_to_contain_text("failed")
    run.click()
    state(page, "finished")
    expect(page.locator("#view .restyle")).to_be_visible()
    assert finished_picture(page).startswith(b"\x89PNG")
    expect(page.locator(".download")).to_have_attribute("href", re.compile("^blob:"))


def test_closed_tab_ends_the_run(open_page: OpenPage, imagen: Recorded) -> None:
    page = open_page()
    before = len(imagen.runs)
    with held(imagen, "base", 1):
        begin(page, "a lonely apple")
        until(lambda: len(imagen.runs) > before)
        run = imagen.runs[-1]
        assert not run.closed
        page.close()
        until(lambda: run.closed)


SERVE = """
import time
from tests.browser.holding import held
from tests.ui_page import recorded, served
imagen = recorded()
with held(imagen, "base", 1), served(lambda: imagen) as url:
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
                begin(page, "a long apple")
            expect(drawing.locator(".lane[data-stage=base]")).to_have_attribute("data-frames", "1")
            expect(waiting.locator("#view .status")).to_contain_text("place 1 of 1")
        finally:
            server.kill()
    for page in (drawing, waiting):
        state(page, "failed")
        expect(page.locator("#view .problem")).to_contain_text("the connection to it broke")
        page.close()


def test_stop_leaves_the_queue(open_page: OpenPage, imagen: Recorded) -> None:
    first, second = open_page(), open_page()
    with held(imagen, "base", 1):
        begin(first, "a first apple", steps=4)
        expect(first.locator(".lane[data-stage=base]")).to_have_attribute("data-frames", "1")
        begin(second, "a second apple", steps=4)
        expect(second.locator("#view .status")).to_contain_text("place 1 of 1")
        second.click("#stop")
        state(second, "stopped")
    state(first, "finished")
    begin(first, "a third apple", steps=4)  # in the queue it would be behind the second
    state(first, "finished")
    assert [recipe.prompt for recipe in imagen.recipes[-2:]] == ["a first apple", "a third apple"]
