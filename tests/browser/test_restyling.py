"""Restyling on the page: live, on the small picture that is there, and a stop for what is overtaken."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from imagen_core.recipe import Recipe
from imagen_core.ui import messages
from tests.browser.conftest import OpenPage
from tests.browser.holding import held
from tests.browser.running import begin, until
from tests.browser.test_access import violations
from tests.browser.test_ended_runs import LOSE
from tests.browser.test_forks import WAIT, opened
from tests.browser.test_timeline import lane
from tests.ui_page import GRADIO_WARNING, Recorded

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]

SMALL = Recipe(prompt="an apple", seed=4, last_stage="sr256").updated(
    {"base": {"num_steps": 3}, "sr256": {"num_steps": 2}, "sr1024": {"num_steps": 1}}
)


def with_style(recipe: Recipe, prompt: str, aug_level: float) -> Recipe:
    return recipe.updated({"sr256": {"prompt": prompt, "aug_level": aug_level}, "sr1024": {"prompt": prompt}})


def at(page: Page, *levels: str) -> None:
    """Move the dial over some levels, as a drag does, without a rest between them."""
    page.locator("#view .restyle-level input").evaluate(
        """(dial, levels) => {
          for (const level of levels) {
            dial.value = level;
            dial.dispatchEvent(new Event('input', { bubbles: true }));
          }
        }""",
        levels,
    )


def finished(page: Page, level: str) -> None:
    """A restyled run of this level has ended."""
    run = page.locator("#view .run-tree .run[aria-current]")
    expect(run).to_contain_text(f"aug_level {level}", timeout=WAIT)
    expect(page.locator("#view .cascade")).to_have_attribute("data-state", "finished", timeout=WAIT)


def test_a_change_draws_the_larger_sizes_again(
    open_page: OpenPage, imagen: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "INTERVAL", 0.0)
    page = opened(open_page(SMALL.to_link()))
    page.click("#view .restyle summary")
    page.fill(".restyle-words input", "a glass pear")
    finished(page, "0.40")
    assert imagen.recipes[-1] == with_style(SMALL, "a glass pear", 0.4)
    expect(page.locator("#view .lane[data-stage=base]")).to_have_attribute("data-state", "cached")
    expect(page.locator("#view .lane[data-stage=base]")).to_have_attribute(
        "data-frames", "3"
    )  # as the first run drew it
    assert page.input_value("#field-prompt textarea") == "an apple"
    count = len(imagen.recipes)
    at(page, "0.5", "0.6", "0.7")
    finished(page, "0.70")
    assert imagen.recipes[-1] == with_style(SMALL, "a glass pear", 0.7)
    assert len(imagen.recipes) == count + 1  # what came in quick succession is one run
    expect(page.locator("#view .run-tree > li")).to_have_count(1)
    assert violations(page) == []


def test_a_run_that_is_overtaken_is_stopped(open_page: OpenPage, imagen: Recorded) -> None:
    page = opened(open_page(SMALL.to_link()))
    page.click("#view .restyle summary")
    with held(imagen, "sr256", 1):
        at(page, "0.2")
        expect(lane(page, "sr256")).to_have_attribute("data-step", "1", timeout=WAIT)
        overtaken = imagen.runs[-1]
        assert not overtaken.closed
        at(page, "0.3")
        until(lambda: overtaken.closed)
    finished(page, "0.30")
    assert imagen.recipes[-1] == with_style(SMALL, "", 0.3)
    expect(page.locator("#view .run")).to_have_count(2)  # the stopped one is in no tree


def test_a_restyled_run_that_is_stopped_cannot_be_forked(open_page: OpenPage, imagen: Recorded) -> None:
    """A fork from the steps on the screen was one of the run that it restyles."""
    page = opened(open_page(SMALL.to_link()))
    lane(page, "base").locator(".filmstrip").press("Home")
    expect(page.locator("#view .button.fork")).to_be_enabled()
    page.click("#view .restyle summary")
    with held(imagen, "sr256", 1):
        at(page, "0.2")
        expect(lane(page, "sr256")).to_have_attribute("data-step", "1", timeout=WAIT)
        page.click("#stop")
        expect(page.locator("#view .cascade")).to_have_attribute("data-state", "stopped", timeout=WAIT)
    expect(page.locator("#view .button.fork")).to_be_disabled()
    lane(page, "base").locator(".filmstrip").press("Home")
    expect(lane(page, "base")).to_have_attribute("data-step", "1")
    expect(page.locator("#view .button.fork")).to_be_disabled()
    at(page, "0.3")
    finished(page, "0.30")
    lane(page, "base").locator(".filmstrip").press("Home")
    expect(page.locator("#view .button.fork")).to_be_enabled()


def test_a_run_that_ends_when_it_is_overtaken_gives_way_to_what_was_chosen(
    open_page: OpenPage, imagen: Recorded
) -> None:
    """Stop may come too late for a run that was at its last step: it is kept, and the dial stays where it was put."""
    page = opened(open_page(SMALL.to_link()))
    page.click("#view .restyle summary")
    page.evaluate(
        """() => window.addEventListener("click", (event) => {
          if (event.target.id !== "stop") return;
          event.stopImmediatePropagation();
          window.stopPressed = true;
        }, { capture: true })"""
    )
    with held(imagen, "sr256", 2):
        at(page, "0.2")
        expect(lane(page, "sr256")).to_have_attribute("data-state", "running", timeout=WAIT)
        expect(lane(page, "sr256")).to_have_attribute("data-step", "1", timeout=WAIT)
        at(page, "0.3")
        page.wait_for_function("window.stopPressed")
    finished(page, "0.30")
    assert [recipe.sr256.aug_level for recipe in imagen.recipes[-2:]] == [0.2, 0.3]
    expect(page.locator("#view .run")).to_have_count(3)
    expect(page.locator("#view .restyle output")).to_have_text("0.30")


def test_a_run_that_was_stopped_in_the_queue_leaves_the_dial_and_generate_as_they_were(
    open_page: OpenPage, imagen: Recorded
) -> None:
    """The page went on waiting for its beginning: the dial did nothing, and stopped the next run that began."""
    page, other = opened(open_page(SMALL.to_link())), open_page()
    page.click("#view .restyle summary")
    with held(imagen, "base", 1):
        begin(other, "an apple of another visitor", steps=2)
        expect(lane(other, "base")).to_have_attribute("data-step", "1", timeout=WAIT)
        at(page, "0.2")
        expect(page.locator("#view .status")).to_contain_text("place 1 of 1", timeout=WAIT)
        page.click("#stop")
        expect(page.locator("#view .cascade")).to_have_attribute("data-state", "stopped", timeout=WAIT)
    at(page, "0.3")
    finished(page, "0.30")
    assert imagen.recipes[-1] == with_style(SMALL, "", 0.3)
    begin(page, "an ordinary apple")
    expect(page.locator("#view .run-tree .run[aria-current]")).to_contain_text("an ordinary apple", timeout=WAIT)
    assert imagen.recipes[-1].prompt == "an ordinary apple"


def test_a_restyled_run_that_was_believed_lost_comes_back_as_itself(open_page: OpenPage, imagen: Recorded) -> None:
    page = opened(open_page(SMALL.to_link()))
    page.click("#view .restyle summary")
    with held(imagen, "sr256", 1):
        at(page, "0.2")
        expect(lane(page, "sr256")).to_have_attribute("data-step", "1", timeout=WAIT)
        page.evaluate(LOSE)
        expect(page.locator("#view .cascade")).to_have_attribute("data-state", "failed", timeout=WAIT)
    finished(page, "0.20")
    expect(page.locator("#view .run")).to_have_count(2)
    expect(page.locator("#view .restyle")).to_be_visible()


def test_there_is_nothing_to_restyle_at_64_pixels(open_page: OpenPage) -> None:
    page = opened(open_page(Recipe(prompt="an apple", last_stage="base").updated({"base": {"num_steps": 3}}).to_link()))
    expect(page.locator("#view .download")).to_be_visible(timeout=WAIT)
    expect(page.locator("#view .restyle")).not_to_be_visible()
