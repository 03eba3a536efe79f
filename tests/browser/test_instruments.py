"""The instruments of every step under the timeline."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.test_access import violations
from tests.browser.test_timeline import WAIT, drawn, every_step, lane, steps
from tests.ui_page import GRADIO_WARNING

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]
__all__ = ["every_step"]  # a fixture

NAMES = ["log-SNR", "threshold s", "clipped", "guidance", "cosine", "change of x₀"]


def chart(page: Page, name: str) -> str:
    """The selector of a chart."""
    return f".chart:has(.chart-name:text-is('{name}'))"


def points(page: Page, name: str, kind: str = "now") -> int:
    """How many places the lines of a chart have."""
    shapes = page.locator(f"{chart(page, name)} path.{kind}").evaluate_all(
        "(all) => all.map((p) => p.getAttribute('d'))"
    )
    return sum(shape.count("L") + 1 for shape in shapes)


def test_every_step_is_a_point_even_without_a_preview(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagen_core.ui.messages.INTERVAL", 3600.0)
    monkeypatch.setattr("imagen_core.ui.messages.SHARE", 0.0)  # only first and last steps have a picture
    page = open_page()
    drawn(page, base_steps=30)
    expect(lane(page, "base")).to_have_attribute("data-frames", "2", timeout=WAIT)
    page.click(".instrument-panel summary")
    expect(page.locator(".chart:not([hidden]) .chart-name")).to_have_text(NAMES, timeout=WAIT)
    expect(page.locator(f"{chart(page, 'log-SNR')} path.now")).to_have_count(3, timeout=WAIT)
    for name in NAMES:
        assert points(page, name) == sum(steps(page)) >= 30


def test_cursor_is_marked_and_told(open_page: OpenPage) -> None:
    page = open_page()
    track = drawn(page)
    page.click(".instrument-panel summary")
    track.press("Home")
    expect(lane(page, "base")).to_have_attribute("data-step", "1", timeout=WAIT)
    for name in NAMES:
        body = page.locator(f"{chart(page, name)} .chart-body")
        told = re.compile(f"^{re.escape(name)} at 64 pixels, step 1 of 8: ")
        expect(body).to_have_attribute("aria-label", told, timeout=WAIT)
        expect(page.locator(f"{chart(page, name)} .chart-value")).not_to_have_text("–", timeout=WAIT)
    value = page.locator(f"{chart(page, 'log-SNR')} .chart-value").inner_text()
    assert value == lane(page, "base").locator("[data-of=log_snr]").inner_text()
    place = "(mark) => mark.getBoundingClientRect().left - mark.parentElement.getBoundingClientRect().left"
    mark = page.locator(f"{chart(page, 'cosine')} .chart-mark")
    width = page.locator(f"{chart(page, 'cosine')} .chart-plot").evaluate("(plot) => plot.clientWidth")
    assert mark.evaluate(place) == pytest.approx(width / 3 * 0.5 / 8, abs=2)
    assert violations(page) == []


def test_point_is_a_place_on_the_cursor(open_page: OpenPage) -> None:
    page = open_page(width=390, height=844)
    drawn(page)
    page.click(".instrument-panel summary")
    plot = page.locator(f"{chart(page, 'change of x₀')} .chart-plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    plot.tap(position={"x": box["width"] / 3 * 4.5 / 8, "y": 30})
    expect(lane(page, "base")).to_have_attribute("data-step", "5", timeout=WAIT)
    assert steps(page) == [5, 0, 0]
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_kept_run_is_drawn_beside(open_page: OpenPage) -> None:
    page = open_page(dark=True)
    drawn(page, base_steps=5)
    page.click(".instrument-panel summary")
    page.click(".keep")
    drawn(page, "another apple", base_steps=8)
    expect(page.locator(f"{chart(page, 'threshold s')} path.kept")).to_have_count(3, timeout=WAIT)
    assert points(page, "threshold s") - points(page, "threshold s", "kept") == 3
    assert violations(page) == []
    page.click(".forget")
    expect(page.locator(".chart path.kept")).to_have_count(0, timeout=WAIT)
