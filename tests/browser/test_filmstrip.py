"""The filmstrip of a size, and the pictures of a step."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from imagen_core.recipe import Recipe
from imagen_core.ui import messages
from tests.browser.conftest import OpenPage
from tests.browser.holding import held
from tests.browser.running import begin, state
from tests.ui_page import GRADIO_WARNING, Recorded

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]


def test_filmstrip_follows_the_keyboard_while_it_grows_and_after(
    open_page: OpenPage, imagen: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "INTERVAL", 0.0)
    page = open_page()
    lane = page.locator(".lane[data-stage=base]")
    film = lane.locator("[role=slider]")
    with held(imagen, "base", 3):
        begin(page, "a scrubbed apple", steps=20)
        expect(film).to_be_enabled()
        expect(lane).to_have_attribute("data-step", "3")
        film.press("Home")
        expect(lane).to_have_attribute("data-step", "1")
    state(page, "finished")
    expect(lane).to_have_attribute("data-step", "1")  # the cursor stayed where it was put
    expect(film).to_have_attribute("aria-valuetext", re.compile("^step 1 of "))
    canvas = lane.locator(".picture.now canvas:not(.heat)")
    expect(canvas).to_have_attribute("data-painted", "x_0 1")
    first = canvas.evaluate("(canvas) => canvas.toDataURL()")
    film.press("ArrowRight")
    expect(lane).not_to_have_attribute("data-step", "1")
    film.press("End")
    expect(film).to_have_attribute("aria-valuenow", film.get_attribute("aria-valuemax") or "")
    expect(lane.locator("[data-of=log_snr]")).not_to_have_text("–")
    last = film.get_attribute("aria-valuemax") or ""
    expect(lane).to_have_attribute("data-step", last)
    expect(canvas).to_have_attribute("data-painted", f"x_0 {last}")
    assert canvas.evaluate("(canvas) => canvas.toDataURL()") != first


def test_filmstrip_follows_the_pointer(open_page: OpenPage) -> None:
    page = open_page()
    begin(page, "a dragged apple", steps=100)
    state(page, "finished")
    lane = page.locator(".lane[data-stage=base]")
    box = lane.locator(".filmstrip").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] - 50, box["y"] + 20, steps=5)
    page.mouse.up()
    expect(lane).to_have_attribute("data-step", "1")


@pytest.mark.parametrize("mode", ["x_t", "difference"])
def test_other_pictures_of_a_step(open_page: OpenPage, mode: str) -> None:
    page = open_page()
    begin(page, "an apple", steps=5)
    state(page, "finished")
    for stage in ("base", "sr256", "sr1024"):
        canvas = page.locator(f".lane[data-stage={stage}] .picture.now canvas:not(.heat)")
        last = {"base": 5, "sr256": Recipe().sr256.num_steps, "sr1024": Recipe().sr1024.num_steps}[stage]
        expect(canvas).to_have_attribute("data-painted", f"x_0 {last}")
        before = canvas.evaluate("(canvas) => canvas.toDataURL()")
        page.check(f".modes input[value={mode}]")
        expect(canvas).to_have_attribute("data-painted", f"{mode} {last}")
        assert canvas.evaluate("(canvas) => canvas.toDataURL()") != before
        page.check(".modes input[value=x_0]")


def test_comparison_opens_and_closes(open_page: OpenPage) -> None:
    page = open_page()
    begin(page, "an apple", steps=5)
    state(page, "finished")
    page.click(".compare")
    expect(page.locator(".comparison")).to_be_visible()
    page.locator(".split").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".split")).to_have_value("49")
    page.keyboard.press("Escape")
    expect(page.locator(".comparison")).not_to_be_visible()
    expect(page.locator(".compare")).to_be_focused()
