"""What the runs of a visit hold in the browser: a visitor who drew many long runs had hundreds of megabytes there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from playwright.sync_api import Locator, Page, expect

from imagen_core.ui import cascade_view
from imagen_core.ui.theme import asset
from tests.browser.conftest import OpenPage
from tests.browser.running import begin, finished_picture, state
from tests.browser.test_access import violations
from tests.browser.test_timeline import every_step, lane
from tests.ui_page import GRADIO_WARNING, Recorded, served

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]
__all__ = ["every_step"]  # a fixture

STEPS = 8
GONE = (
    "To save memory, the page keeps only the last picture of each size of this run: "
    "press Generate to draw its steps again."
)
BUDGET = "const HELD_BYTES = 150e6;"


@pytest.fixture(scope="module")
def server(model: Recorded) -> Iterator[str]:
    """A page that may hold the 32 kB steps of two runs of eight of them, and what their files take."""

    def small(name: str) -> str:
        text = asset(name)
        if name != "run_memory.js":
            return text
        assert BUDGET in text
        return text.replace(BUDGET, "const HELD_BYTES = 620e3;")

    with patch.object(cascade_view, "asset", small), served(lambda: model) as url:
        yield url


def opened(page: Page) -> Page:
    page.check("#field-last_stage input[value=base]")
    return page


def drawn(page: Page, prompt: str) -> None:
    begin(page, prompt, steps=STEPS)
    state(page, "finished")
    expect(page.locator(".download")).to_have_attribute("href", re.compile("^blob:"))


def run(page: Page, prompt: str) -> Locator:
    return page.locator(".run-tree .run", has_text=prompt)


def bring_back(page: Page, prompt: str, frames: int) -> None:
    run(page, prompt).click()
    expect(page.locator("#field-prompt textarea")).to_have_value(prompt)
    expect(lane(page, "base")).to_have_attribute("data-frames", str(frames))


def test_the_oldest_run_lets_go_of_its_steps_and_draws_them_again(open_page: OpenPage, imagen: Recorded) -> None:
    page = opened(open_page())
    drawn(page, "an apple")
    first = finished_picture(page)
    drawn(page, "a pear")
    drawn(page, "a plum")
    page.click(".runs summary")
    expect(run(page, "a plum")).not_to_contain_text("last pictures only")
    expect(run(page, "a pear")).not_to_contain_text("last pictures only")
    expect(run(page, "an apple")).to_contain_text("last pictures only")
    expect(page.locator(".released-note")).to_be_hidden()
    bring_back(page, "an apple", 1)
    expect(page.locator(".released-note")).to_have_text(GONE)
    expect(lane(page, "base").locator(".steps")).to_have_text(f"step {STEPS} of {STEPS}")
    assert finished_picture(page) == first
    assert violations(page) == []
    page.click("#generate")
    expect(lane(page, "base")).to_have_attribute("data-frames", str(STEPS))  # though the server keeps the picture
    state(page, "finished")
    expect(page.locator(".released-note")).to_be_hidden()
    assert finished_picture(page) == first
    expect(run(page, "an apple")).to_have_count(1)
    expect(run(page, "an apple")).not_to_contain_text("last pictures only")
    expect(run(page, "a pear")).to_contain_text("last pictures only")


def test_a_run_with_a_star_and_one_that_is_compared_keep_their_steps(open_page: OpenPage) -> None:
    page = opened(open_page())
    drawn(page, "a starred apple")
    page.evaluate(
        """() => {
          const [key] = Object.keys(localStorage).filter((key) => key.startsWith("imagen:history:"));
          localStorage.setItem(key, JSON.stringify({ ...JSON.parse(localStorage.getItem(key)), starred: true }));
        }"""
    )
    for prompt in ("a pear", "a plum"):
        drawn(page, prompt)
    page.click(".runs summary")
    expect(run(page, "a pear")).to_contain_text("last pictures only")
    expect(run(page, "a starred apple")).not_to_contain_text("last pictures only")
    page.click(".keep")  # a plum
    drawn(page, "a grape")
    drawn(page, "a lemon")
    expect(run(page, "a plum")).not_to_contain_text("last pictures only")
    expect(run(page, "a starred apple")).to_contain_text("last pictures only")
    expect(run(page, "a grape")).to_contain_text("last pictures only")


def test_where_the_steps_are_not_enough_the_copies_of_files_go(open_page: OpenPage) -> None:
    page = opened(open_page())
    drawn(page, "an apple")
    page.fill("#field-num_images input", "16")
    drawn(page, "many pears")  # takes more than all that the page may hold
    page.click(".runs summary")
    bring_back(page, "an apple", 1)
    expect(page.locator(".download")).to_have_attribute("href", re.compile("^http"))
    assert finished_picture(page).startswith(b"\x89PNG")  # from the server, as long as it has it
