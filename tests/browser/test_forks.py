"""Forks on the page: a place chosen at the cursor, the run from there, the tree of runs, and a fork's link."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from imagen_core.recipe import Recipe
from imagen_core.ui import messages
from tests.browser.conftest import OpenPage
from tests.browser.running import painted, press, until
from tests.browser.test_access import violations
from tests.browser.test_timeline import PICTURE, lane
from tests.ui_page import GRADIO_WARNING, Recorded

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]

WAIT = 120_000  # milliseconds; the machine may be busy
PARENT = Recipe(prompt="an apple", seed=4, last_stage="base").updated({"base": {"num_steps": 6}})
LARGER = PARENT.updated({"base": {"num_steps": 3}, "sr256": {"num_steps": 2}, "last_stage": "sr256"})


@pytest.fixture(autouse=True)
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny model is so quick that hardly a step between the first and the last would be shown."""
    monkeypatch.setattr(messages, "INTERVAL", 0.0)


def ended(page: Page, how: str = "finished") -> None:
    expect(page.locator("#view .cascade")).to_have_attribute("data-state", how, timeout=WAIT)
    painted(page)


def opened(page: Page) -> Page:
    """The page when the run of its link has ended, with the cursor on the last step."""
    ended(page)
    track = page.locator("#view .track")
    expect(track).to_have_attribute("aria-valuenow", track.get_attribute("aria-valuemax") or "", timeout=WAIT)
    return page


def place(page: Page, step: int) -> None:
    """A fork from a step of the base, with the keyboard alone."""
    film = lane(page, "base").locator(".filmstrip")
    film.press("Home")
    for _ in range(step - 1):
        film.press("ArrowRight")
    expect(lane(page, "base")).to_have_attribute("data-step", str(step), timeout=WAIT)
    expect(page.locator("#view .button.fork")).to_be_enabled(timeout=WAIT)
    page.locator("#view .button.fork").press("Enter")


def forked(page: Page, prompt: str) -> None:
    page.fill("#field-prompt textarea", prompt)
    press(page, "#generate")
    ended(page)


def picture(page: Page, step: int, stage: str = "base") -> str:
    """The pixels of a lane that shows a step, when they are there."""
    canvas = lane(page, stage).locator(".picture.now canvas[role=img]")
    expect(canvas).to_have_attribute("data-painted", f"x_0 {step}", timeout=WAIT)
    return str(canvas.evaluate(PICTURE))


def test_a_fork_keeps_the_steps_before_and_is_a_recipe(open_page: OpenPage, imagen: Recorded) -> None:
    page = opened(open_page(PARENT.to_link()))
    expect(page.locator("#view .runs")).not_to_be_visible()
    expect(page.locator("#view .button.fork")).to_be_disabled()  # behind the last step there is nothing
    page.uncheck("#lock input")
    place(page, 3)
    note = page.locator("#view .fork-note")
    expect(note).to_contain_text("Forking from step 3 of 6 at 64 pixels of “an apple”, seed ")
    assert page.is_checked("#lock input")  # what is not changed stays
    assert violations(page) == []
    before = picture(page, 3)
    forked(page, "a green pear")
    recipe = imagen.recipes[-1]
    assert recipe == PARENT.forked("base", 3, {"prompt": "a green pear"})
    expect(lane(page, "base")).to_have_attribute("data-frames", "6", timeout=WAIT)  # the kept steps are shown too
    lane(page, "base").locator(".filmstrip").press("Home")
    lane(page, "base").locator(".filmstrip").press("ArrowRight")
    lane(page, "base").locator(".filmstrip").press("ArrowRight")
    until(lambda: picture(page, 3) == before)
    expect(lane(page, "base").locator(".left")).to_contain_text("3 steps kept")
    page.click("#view .copy")
    link = page.evaluate("navigator.clipboard.readText()")
    assert Recipe.from_link(link.split("?", 1)[1]) == recipe


def test_the_link_of_a_fork_draws_it_in_a_fresh_page(open_page: OpenPage, imagen: Recorded) -> None:
    fork = PARENT.forked("base", 4, {"prompt": "a pear"})
    imagen.cascade.forget()  # as in another process
    page = opened(open_page(fork.to_link()))
    expect(page.locator("#view .fork-note")).to_contain_text("Forking from step 4 at 64 pixels of “an apple”, seed 4")
    assert imagen.recipes[-1] == fork
    cold = picture(page, 6)
    expect(lane(page, "base")).to_have_attribute("data-frames", "6", timeout=WAIT)  # the parent's steps are drawn again
    forked(page, "a dog")
    assert imagen.recipes[-1] == PARENT.forked("base", 4, {"prompt": "a dog"})
    until(lambda: picture(page, 6) != cold)
    page.click("#view .fork-cancel")
    forked(page, "a cat")
    assert imagen.recipes[-1].fork is None


def test_the_tree_brings_runs_back(open_page: OpenPage, imagen: Recorded) -> None:
    page = opened(open_page(PARENT.to_link()))
    first = picture(page, 6)
    place(page, 2)
    forked(page, "a pear <b>not bold</b>")
    fork = imagen.recipes[-1]
    expect(page.locator("#view .run-tree > li")).to_have_count(1)
    expect(page.locator("#view .run-tree li li button")).to_contain_text("a pear <b>not bold</b>")
    expect(page.locator("#view .run-tree li li button")).to_contain_text("from step 2 at 64 pixels, solver restored")
    expect(page.locator("#view .run-tree li li button")).to_have_attribute("aria-current", "true")
    until(lambda: picture(page, 6) != first)
    page.locator("#view .run-tree button").first.press("Enter")
    expect(page.locator("#field-prompt textarea")).to_have_value("an apple", timeout=WAIT)
    expect(page.locator("#view .run-tree button").first).to_be_focused()
    until(lambda: picture(page, 6) == first)  # the other run's step 6 may still stand there
    expect(page.locator("#view .fork-bar")).not_to_be_visible()
    expect(page.locator("#view .download")).to_be_visible()
    page.locator("#view .run-tree li li button").click()
    expect(page.locator("#view .fork-bar")).to_be_visible(timeout=WAIT)
    expect(page.locator("#field-prompt textarea")).to_have_value("a pear <b>not bold</b>", timeout=WAIT)
    place(page, 4)  # a fork of the fork
    page.check("#view .fork-restart input")
    forked(page, "a plum")
    assert imagen.recipes[-1] == fork.forked("base", 4, {"prompt": "a plum"}, "restarted")
    expect(page.locator("#view .run-tree li li li button")).to_contain_text("solver restarted")
    assert violations(page) == []


def test_a_run_that_is_brought_back_asks_before_it_overwrites_what_was_changed(open_page: OpenPage) -> None:
    page = opened(open_page(PARENT.to_link()))
    place(page, 2)
    forked(page, "a pear")
    page.fill("#field-prompt textarea", "my own words")
    page.locator("#view .run-tree button").first.click()
    expect(page.locator(".question")).to_contain_text("Open “an apple” in their place?")
    expect(page.locator("#field-prompt textarea")).to_have_value("my own words")


def test_behind_the_last_step_of_a_size_begins_the_next_one(open_page: OpenPage, imagen: Recorded) -> None:
    page = opened(open_page(LARGER.to_link()))
    place(page, 3)
    expect(page.locator("#view .fork-note")).to_contain_text("Forking from the start of 256 pixels of “an apple”")
    forked(page, "a glass pear")
    assert imagen.recipes[-1] == LARGER.forked("sr256", 0, {"prompt": "a glass pear"})
    expect(lane(page, "base")).to_have_attribute("data-frames", "3", timeout=WAIT)


def test_a_change_before_the_place_is_told(open_page: OpenPage) -> None:
    page = opened(open_page(LARGER.to_link()))
    place(page, 3)
    page.fill("#field-base-num_steps input[type=number]", "5")
    page.press("#field-base-num_steps input[type=number]", "Tab")
    press(page, "#generate")
    ended(page, "failed")
    sentence = "Steps (base) must be 3 as in the fork's parent, not 5, for the fork begins in sr256."
    expect(page.locator("#view .problem")).to_have_text(sentence)


def test_forks_on_a_phone_in_the_dark(open_page: OpenPage) -> None:
    page = opened(open_page(PARENT.to_link(), width=390, height=844, dark=True))
    place(page, 2)
    forked(page, "a pear")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    small = page.evaluate(
        """() => [...document.querySelectorAll('#view .cascade :is(button, summary, .fork-restart)')]
          .filter((e) => e.offsetParent && Math.min(e.offsetHeight, e.offsetWidth) < 44).map((e) => e.className)"""
    )
    assert small == []
    assert violations(page) == []
