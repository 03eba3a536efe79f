"""Restyling on the page: live, on the small picture that is there, and a stop for what is overtaken."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from imagen_core.recipe import STAGES, Recipe
from imagen_core.ui import messages
from tests.browser.conftest import OpenPage
from tests.browser.test_access import violations
from tests.browser.test_forks import WAIT, opened
from tests.ui_page import GRADIO_WARNING, Recorded

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]

SMALL = Recipe(prompt="an apple", seed=4, last_stage="sr256").updated(
    {"base": {"num_steps": 3}, "sr256": {"num_steps": 2}, "sr1024": {"num_steps": 1}}
)


def with_style(recipe: Recipe, prompt: str, aug_level: float) -> Recipe:
    return recipe.updated({name: {"prompt": prompt, "aug_level": aug_level} for name in STAGES[1:]})


def at(page: Page, level: str) -> None:
    """Move the dial, as a drag does."""
    page.locator("#view .restyle-level input").evaluate(
        "(dial, level) => { dial.value = level; dial.dispatchEvent(new Event('input', { bubbles: true })); }", level
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
    for level in ("0.5", "0.6", "0.7"):
        at(page, level)
    finished(page, "0.70")
    assert imagen.recipes[-1] == with_style(SMALL, "a glass pear", 0.7)
    assert len(imagen.recipes) == count + 1  # what came in quick succession is one run
    expect(page.locator("#view .run-tree > li")).to_have_count(1)
    assert violations(page) == []


def test_a_run_that_is_overtaken_is_stopped(open_page: OpenPage, imagen: Recorded) -> None:
    slow = SMALL.updated({"sr256": {"num_steps": 60}})
    page = opened(open_page(slow.to_link()))
    page.click("#view .restyle summary")
    at(page, "0.2")
    sr256 = page.locator("#view .lane[data-stage=sr256]")
    expect(sr256).to_have_attribute("data-state", "running", timeout=WAIT)
    overtaken = imagen.runs[-1]
    at(page, "0.3")
    finished(page, "0.30")
    assert overtaken.closed
    assert imagen.recipes[-1] == with_style(slow, "", 0.3)
    expect(page.locator("#view .run")).to_have_count(2)  # the stopped one is in no tree


def test_there_is_nothing_to_restyle_at_64_pixels(open_page: OpenPage) -> None:
    page = opened(open_page(Recipe(prompt="an apple", last_stage="base").updated({"base": {"num_steps": 3}}).to_link()))
    expect(page.locator("#view .download")).to_be_visible(timeout=WAIT)
    expect(page.locator("#view .restyle")).not_to_be_visible()
