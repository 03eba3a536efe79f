"""The sweep in the browser: cells fill, are chosen and promoted; its link opens it; its sheet is there."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from imagen_core.contact_sheet import read_sweep
from imagen_core.recipe import Recipe
from imagen_core.sweep import Sweep
from imagen_core.sweep_axis import Axis
from tests.browser.conftest import OpenPage
from tests.browser.holding import held
from tests.browser.running import enter, saved
from tests.browser.test_access import violations
from tests.ui_page import GRADIO_WARNING, Recorded

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]

LONG = 60_000  # milliseconds that a busy machine may take
SMALL = Recipe(prompt="a <b>red</b> apple", seed=7, last_stage="base").updated({"base": {"num_steps": 3}})
SWEEP = Sweep(SMALL, (Axis.of("base.guidance_scale", "1,3"), Axis.of("base.scheduler", "ddim,euler")))


def sweep(page: Page, wanted: str) -> None:
    expect(page.locator(".sweep")).to_have_attribute("data-state", wanted, timeout=LONG)


def test_link_opens_a_sweep_that_is_drawn_chosen_and_promoted(open_page: OpenPage) -> None:
    page = open_page(query=SWEEP.to_link())
    expect(page.locator("#draw-sweep")).to_be_visible(timeout=LONG)
    expect(page.locator(".sweep .status")).to_have_text("Opened a sweep: press Draw.", timeout=LONG)
    page.click("#draw-sweep")
    sweep(page, "finished")
    expect(page.locator(".cells td[data-state=done]")).to_have_count(4)
    expect(page.locator(".cells th")).to_have_text(["1", "3", "ddim", "euler"])
    assert read_sweep(saved(page.locator(".save-sheet"))) == SWEEP
    page.click(".copy-sweep")
    expect(page.locator(".copy-sweep")).to_have_text("Link copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert Sweep.from_link(copied.partition("?")[2]) == SWEEP
    page.locator(".cells button").nth(3).click()
    expect(page.locator(".sweep .chosen")).to_have_text("Chosen: 3, euler")
    page.click(".promote-cell")
    expect(page.locator(".sweep .promoted")).to_have_attribute("data-state", "done", timeout=LONG)
    sweep(page, "finished")
    page.click(".open-cell")
    expect(page.locator("#field-base-guidance_scale input[type=number]")).to_have_value("3", timeout=LONG)
    expect(page.locator("#field-prompt textarea")).to_have_value(SMALL.prompt)


def test_prompts_are_typed_one_a_line(open_page: OpenPage) -> None:
    """Enter ended the field: gradio lets a field of one line do no other."""
    page = open_page(query=Sweep(SMALL, (Axis.of("prompt", "a cake"),)).to_link())
    expect(page.locator(".sweep .status")).to_have_text("Opened a sweep: press Draw.", timeout=LONG)
    enter(page, "#field-sweep-x-values", "a cake")
    field = page.locator("#field-sweep-x-values textarea")
    field.press("End")
    page.keyboard.type("\na duck")
    expect(field).to_have_value("a cake\na duck")
    page.keyboard.press("Control+Enter")
    sweep(page, "finished")
    expect(page.locator(".cells th")).to_have_text(["a cake", "a duck"])


def test_stop_ends_the_sweep(open_page: OpenPage, imagen: Recorded) -> None:
    page = open_page(query=Sweep(SMALL, (Axis.of("seed", "1..16"),)).to_link())
    expect(page.locator(".sweep .status")).to_have_text("Opened a sweep: press Draw.", timeout=LONG)
    with held(imagen, "base", 1):
        page.click("#draw-sweep")
        expect(page.locator(".cells td")).to_have_count(16, timeout=LONG)
        page.click("#stop-sweep")
        sweep(page, "stopped")
    expect(page.locator(".cell-state")).to_have_text(["stopped"] * 16)


def test_a_broken_sweep_is_told(open_page: OpenPage) -> None:
    page = open_page(query=SWEEP.to_link())
    expect(page.locator(".sweep .status")).to_have_text("Opened a sweep: press Draw.", timeout=LONG)
    enter(page, "#field-sweep-x-values", "1..1000")
    page.click("#draw-sweep")
    sweep(page, "failed")
    expect(page.locator(".sweep .problem")).to_contain_text("base.guidance_scale must be a number from 0 to 30")


def test_broken_link_is_told(open_page: OpenPage) -> None:
    page = open_page(query="prompt=a&sweep.x=colour:1")
    expect(page.locator("#view .problem")).to_contain_text(
        "This link cannot be opened: colour is not among", timeout=LONG
    )
    expect(page.locator("#view .problem")).to_be_visible()


def test_a_sweep_for_another_model_is_offered_for_the_page_s_own(open_page: OpenPage) -> None:
    foreign = Sweep(SMALL.updated({"model": "another"}), SWEEP.axes)
    page = open_page(query=foreign.to_link())
    expect(page.locator(".question")).to_contain_text("for the model another, which this page does not have")
    assert violations(page) == []
    page.click(".question-open")
    expect(page.locator(".sweep .status")).to_have_text("Opened a sweep: press Draw.", timeout=LONG)
    page.click("#draw-sweep")
    sweep(page, "finished")
    expect(page.locator(".cells td[data-state=done]")).to_have_count(4)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_everybody_can_use_it(open_page: OpenPage, width: int, dark: bool) -> None:
    page = open_page(query=SWEEP.to_link(), width=width, height=844, dark=dark)
    expect(page.locator(".sweep .status")).to_have_text("Opened a sweep: press Draw.", timeout=LONG)
    page.click("#draw-sweep")
    sweep(page, "finished")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    small = page.evaluate(
        """() => [...document.querySelectorAll('#sweep-panel :is(button, .button)')]
          .filter((e) => e.offsetParent && Math.min(e.offsetHeight, e.offsetWidth) < 44)
          .map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert small == []
