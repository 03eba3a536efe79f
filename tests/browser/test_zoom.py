"""A look at single pixels."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from imagen_core.recipe import STAGES
from tests.browser.conftest import OpenPage
from tests.browser.test_timeline import WAIT, drawn, every_step, lane
from tests.ui_page import GRADIO_WARNING

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]
__all__ = ["every_step"]  # a fixture


def test_zoom_shows_the_same_place_in_every_size(open_page: OpenPage) -> None:
    page = open_page()
    drawn(page)
    picture = lane(page, "sr256").locator(".picture.now")
    picture.click(position={"x": 40, "y": 60})
    expect(page.locator(".zoom")).to_have_attribute("aria-pressed", "true", timeout=WAIT)
    transform = "(canvas) => [getComputedStyle(canvas).transform, getComputedStyle(canvas).imageRendering]"
    for stage in STAGES:
        look = lane(page, stage).locator(".picture.now canvas:not(.heat)").evaluate(transform)
        assert look == ["matrix(4, 0, 0, 4, 0, 0)", "pixelated"]
    place = "(lanes) => lanes.style.getPropertyValue('--zoom-x')"
    lanes = page.locator(".lanes")
    before = float(lanes.evaluate(place).rstrip("%"))
    page.keyboard.press("ArrowRight")
    after = float(lanes.evaluate(place).rstrip("%"))
    assert after - before == pytest.approx(100 / 8 / 3, abs=0.01)
    box = picture.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 100 - box["width"] / 4, box["y"] + 100, steps=4)
    page.mouse.up()
    expect(page.locator(".zoom")).to_have_attribute("aria-pressed", "true")  # a drag is no click
    dragged = float(lanes.evaluate(place).rstrip("%"))
    assert dragged - after == pytest.approx(100 / 4 / 3, abs=0.5)
    final = lane(page, "sr1024").locator(".picture.now")
    expect(final.locator("img.final")).to_be_visible()
    box = final.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 100 + box["width"] / 4, box["y"] + 100, steps=4)
    page.mouse.up()
    back = float(lanes.evaluate(place).rstrip("%"))
    assert back - dragged == pytest.approx(-100 / 4 / 3, abs=0.5)  # an image that a browser would drag away
    page.click(".zoom-in")
    expect(page.locator(".zoom-level")).to_have_text("8 ×")
    page.locator(".zoom").press("Escape")
    expect(page.locator(".zoom")).to_have_attribute("aria-pressed", "false", timeout=WAIT)
    assert picture.get_attribute("tabindex") is None
    picture.click(position={"x": 40, "y": 60})
    expect(picture).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".zoom")).to_be_focused()  # the picture takes no focus any more


def test_a_finger_on_a_picture_scrolls_and_the_button_zooms(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector(".lane[data-stage=sr1024]")
    assert page.evaluate("matchMedia('(pointer: coarse)').matches")
    drawn(page)
    lane(page, "sr256").locator(".picture.now").tap()
    expect(page.locator(".zoom")).to_have_attribute("aria-pressed", "false")
    page.locator(".zoom").tap()
    expect(page.locator(".zoom")).to_have_attribute("aria-pressed", "true")
    context.close()
