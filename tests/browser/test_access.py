"""Everybody can use the page: contrast, names, keyboard, small screens, calm."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.holding import held
from tests.browser.running import begin, state
from tests.ui_page import GRADIO_WARNING, Recorded

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


# A button that fades from one colour to another has, for a fifth of a second, colours that nobody chose.
SETTLED = """() => Promise.allSettled(document.getAnimations()
  .filter((one) => one.effect.getComputedTiming().endTime !== Infinity)
  .map((one) => one.finished))"""


def violations(page: Page) -> list[str]:
    """What axe finds wrong with the page once its transitions have ended, a line for every element."""
    page.evaluate(SETTLED)
    found = Axe().run(page, options=WCAG).response["violations"]
    return [f"{rule['id']}: {node['html'][:160]} {node['failureSummary']}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing(open_page: OpenPage, dark: bool) -> None:
    page = open_page(dark=dark)
    assert violations(page) == []
    page.fill("#field-num_images input", "2")
    begin(page, "an apple 犬", steps=3)
    state(page, "finished")
    page.click("text=sr256: 64 → 256")
    page.click(".legend summary")
    assert violations(page) == []


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_in_what_is_folded_away(open_page: OpenPage, dark: bool) -> None:
    """Instruments, thresholding, restyling, words, legend and settings, all open at once."""
    page = open_page(dark=dark)
    page.check("#attention input")
    begin(page, "a red apple", steps=3)
    state(page, "finished")
    folded = page.locator("#studio details")
    assert folded.count() >= 5
    folded.evaluate_all("all => all.forEach((details) => (details.open = true))")
    for stage in ("base", "sr256", "sr1024"):
        page.click(f"text=/^{stage}: /")
    expect(page.locator(".thresholds > *").first).to_be_visible(timeout=60_000)
    assert violations(page) == []


@pytest.mark.parametrize("width", [390, 320])
def test_phone_needs_no_sideways_scroll(open_page: OpenPage, width: int) -> None:
    page = open_page(width=width, height=844)
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0
    begin(page, "an apple", steps=3)
    state(page, "finished")
    page.click(".legend summary")
    for stage in ("base", "sr256", "sr1024"):
        page.click(f"text=/^{stage}: /")
    assert page.evaluate(overflow) == 0


def test_touch_targets_are_44_pixels(open_page: OpenPage) -> None:
    page = open_page(width=390, height=844)
    begin(page, "an apple", steps=3)
    state(page, "finished")
    small = page.evaluate(
        """() => [...document.querySelectorAll('#studio :is(button, summary, .button, .chooser label, .filmstrip)')]
          .filter((e) => e.offsetParent && Math.min(e.offsetHeight, e.offsetWidth) < 44)
          .map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert small == []


def test_focus_is_visible_on_everything_that_takes_it(open_page: OpenPage) -> None:
    page = open_page()
    page.locator("#field-prompt textarea").focus()
    unseen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        unseen += page.evaluate(
            """() => {
              const e = document.activeElement;
              if (!e || e === document.body) return [];
              const near = [e, e.nextElementSibling, e.closest('label'), e.parentElement].filter(Boolean);
              const shown = near.map((s) => getComputedStyle(s))
                .some((style) => style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2);
              return shown ? [] : [e.outerHTML.slice(0, 160)];
            }"""
        )
    assert unseen == []


def test_nothing_jumps_during_a_run(open_page: OpenPage, imagen: Recorded) -> None:
    page = open_page()
    places = (
        "() => [...document.querySelectorAll('.lane, #generate')].map((e) => Math.round(e.getBoundingClientRect().top))"
    )
    page.fill("#field-prompt textarea", "an apple")
    expect(page.locator("#reading-prompt .reading")).to_contain_text("tokens")
    before = page.evaluate(places)
    with held(imagen, "base", 2) as hold:
        for stage in ("base", "sr256", "sr1024"):
            hold.to(stage, 2)
            if stage == "base":
                begin(page, "an apple", steps=4)
            lane = page.locator(f".lane[data-stage={stage}]")
            expect(lane).to_have_attribute("data-state", "running")
            expect(lane).to_have_attribute("data-step", "2")
            assert page.evaluate(places) == before
    state(page, "finished")
    assert page.evaluate(places) == before
