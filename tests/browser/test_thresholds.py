"""The cursor's estimate after none, static and dynamic thresholding, side by side."""

from __future__ import annotations

import base64
import io
import re

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from imagen_core.events import Preview
from imagen_core.imagen import Imagen
from imagen_core.images import to_pil
from imagen_core.recipe import Recipe
from tests.browser.conftest import OpenPage
from tests.browser.holding import held
from tests.browser.running import begin, state
from tests.browser.test_access import violations
from tests.browser.test_timeline import WAIT, drawn, every_step, lane
from tests.ui_page import GRADIO_WARNING, Recorded

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]
__all__ = ["every_step"]  # a fixture

PANEL = ".threshold-panel"
DYNAMIC = Recipe(prompt="an apple").updated({"base": {"thresholding": "dynamic", "num_steps": 2}})


def shown(page: Page, stage: str, step: int) -> None:
    """Wait until the panel shows a step."""
    expect(page.locator(PANEL)).to_have_attribute("data-shown", f"{stage} {step}", timeout=WAIT)


def pixels(page: Page, kind: str) -> bytes:
    source = page.locator(f"{PANEL} figure[data-kind={kind}] img").get_attribute("src") or ""
    with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as image:
        return image.tobytes()


def told(page: Page, kind: str) -> str:
    return page.locator(f"{PANEL} figure[data-kind={kind}] p").inner_text()


def small(page: Page) -> None:
    """Let runs end at 64 pixels."""
    page.check("#field-last_stage input[value=base]")


def test_folded_up_it_asks_for_nothing(open_page: OpenPage) -> None:
    page = open_page()
    small(page)
    assert page.locator(f"{PANEL}:visible").count() == 0
    asked: list[str] = []
    drawn(page)
    page.on("request", lambda request: asked.append(request.url) if "queue/join" in request.url else None)
    page.locator(".track").press("Home")
    expect(lane(page, "base")).to_have_attribute("data-step", "1", timeout=WAIT)
    page.wait_for_timeout(800)  # twice what it waits for the cursor to rest
    assert asked == []
    page.click(f"{PANEL} summary")
    shown(page, "base", 1)
    assert len(asked) == 1


def test_three_pictures_of_the_cursor_s_step_one_of_them_the_run_s_own(open_page: OpenPage, imagen: Recorded) -> None:
    page = open_page(DYNAMIC.to_link())
    state(page, "finished")
    track = drawn(page)
    track.press("Home")
    page.click(f"{PANEL} summary")
    shown(page, "base", 1)
    recipe = imagen.recipes[-1]
    assert recipe.base.thresholding == "dynamic"
    fresh = Imagen(imagen.cascade, imagen.recipe())
    imagen.cascade.forget()
    first = next(event for event in fresh.stream(recipe) if isinstance(event, Preview))
    assert pixels(page, recipe.base.thresholding) == to_pil(first.x_0)[0].tobytes()
    assert pixels(page, "none") == pixels(page, "static")  # which is all that a screen can show
    expect(page.locator(f"{PANEL} .threshold-used:visible")).to_have_count(1)
    expect(page.locator(f"{PANEL} figure[data-kind=dynamic] .threshold-used")).to_be_visible()
    assert re.match(r"s = \d+\.\d\d", told(page, "dynamic"))
    assert re.match(r"Colours reach \d+\.\d\d", told(page, "none"))
    assert re.fullmatch(r"Cut at 1: \d+\.\d % of the values\.", told(page, "static"))
    # What was answered for the stage is at hand at every other step.
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "queue/join" in request.url else None)
    track.press("PageUp")
    shown(page, "base", 6)
    track.press("ArrowLeft")
    shown(page, "base", 5)
    assert asked == []
    assert f"s = {lane(page, 'base').locator('[data-of=threshold]').inner_text()}" in told(page, "dynamic")
    track.press("End")
    shown(page, "sr1024", recipe.sr1024.num_steps)
    assert len(asked) == 1
    expect(page.locator(f"{PANEL} figure[data-kind=static] .threshold-used")).to_be_visible()


def test_what_is_out_of_range_is_marked_on_wish(open_page: OpenPage) -> None:
    page = open_page()
    small(page)
    drawn(page).press("Home")
    page.click(f"{PANEL} summary")
    shown(page, "base", 1)
    before = pixels(page, "none")
    page.locator(f"{PANEL} .threshold-mark input").check()
    expect(page.locator(f"{PANEL} .threshold-mark input")).to_be_checked()
    page.wait_for_function(
        "(before) => document.querySelector(before[0]).src !== before[1]",
        arg=[
            f"{PANEL} figure[data-kind=none] img",
            page.locator(f"{PANEL} figure[data-kind=static] img").get_attribute("src"),
        ],
    )
    assert pixels(page, "none") != before
    assert pixels(page, "static") == before


def test_another_image_is_compared_too(open_page: OpenPage) -> None:
    page = open_page()
    small(page)
    page.locator("#field-num_images input").fill("2")
    drawn(page)
    page.click(f"{PANEL} summary")
    page.locator(".track").press("Home")
    shown(page, "base", 1)
    first = pixels(page, "dynamic")
    page.locator(".picks label").nth(1).click()
    page.wait_for_function(
        "([panel, old]) => document.querySelector(`${panel} figure[data-kind=dynamic] img`).src !== old",
        arg=[PANEL, page.locator(f"{PANEL} figure[data-kind=dynamic] img").get_attribute("src")],
    )
    shown(page, "base", 1)
    assert pixels(page, "dynamic") != first


@pytest.mark.parametrize("dark", [False, True])
def test_it_is_accessible_and_fits_a_phone(open_page: OpenPage, dark: bool) -> None:
    page = open_page(width=390, height=844, dark=dark)
    drawn(page)
    page.click(f"{PANEL} summary")
    expect(page.locator(PANEL)).to_have_attribute("data-shown", re.compile("sr1024"), timeout=WAIT)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    box = page.locator(f"{PANEL} .threshold-mark label").bounding_box()
    assert box is not None
    assert box["height"] >= 44


def test_a_stage_that_was_kept_is_compared_at_its_last_step(open_page: OpenPage) -> None:
    page = open_page()
    small(page)
    page.locator("#lock input").check()
    drawn(page, base_steps=5)
    begin(page, "an apple", steps=5)
    expect(lane(page, "base")).to_have_attribute("data-state", "cached", timeout=WAIT)
    page.click(f"{PANEL} summary")
    shown(page, "base", 5)
    expect(page.locator(f"{PANEL} .threshold-note")).to_contain_text("64 pixels, the last step")


def test_the_note_is_quiet_while_the_cursor_moves(open_page: OpenPage) -> None:
    """It is a live region: a screen reader spoke at every step."""
    page = open_page()
    small(page)
    track = drawn(page)
    page.click(f"{PANEL} summary")
    expect(page.locator(f"{PANEL} .threshold-note")).to_contain_text("the same estimate, three ways")
    moves = page.evaluate(
        """async () => {
          const [note, track] = [".threshold-note", ".track"].map((part) => document.querySelector(part));
          let spoken = 0;
          new MutationObserver(() => (spoken += 1)).observe(note, { childList: true, subtree: true });
          const began = performance.now();
          for (let move = 0; move < 7; move += 1) {
            track.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
            for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
          }
          return { spoken, most: 1 + Math.ceil((performance.now() - began) / 1500) };
        }"""
    )
    expect(track).to_have_attribute("aria-valuenow", "1", timeout=WAIT)
    assert moves["spoken"] <= moves["most"]
    expect(page.locator(f"{PANEL} .threshold-note")).to_contain_text("step 1 of 8")


@pytest.mark.parametrize("tab", ["Create", "Drafts"])
def test_a_run_stops_the_comparison_of_its_own_visitor(open_page: OpenPage, imagen: Recorded, tab: str) -> None:
    """The visitor's next run waited until all steps had been compared."""
    page = open_page()
    small(page)
    drawn(page)
    with held(imagen, "base", 1):
        page.click(f"{PANEL} summary")
        page.locator(".track").press("Home")
        shown(page, "base", 1)  # and the comparison goes on
        if tab == "Create":
            begin(page, "a pear", steps=5)
            expect(lane(page, "base")).to_have_attribute("data-frames", "1")
            expect(page.locator("#view .status")).to_contain_text("Drawing at 64 pixels")
        else:
            page.click("button[role=tab]:has-text('Drafts')")
            page.click("#draw-drafts")
            expect(page.locator(".drafts .status")).to_contain_text("step 1 of")
    expect(page.locator("#view .cascade" if tab == "Create" else ".drafts")).to_have_attribute("data-state", "finished")
    expect(page.locator("#view .problem")).to_be_hidden()
    if tab == "Create":
        shown(page, "base", 5)


def test_a_comparison_that_waits_leaves_the_queue_to_its_visitor_s_run(open_page: OpenPage, imagen: Recorded) -> None:
    page, other = open_page(), open_page()
    small(page)
    drawn(page)
    with held(imagen, "base", 1):
        begin(other, "another apple", steps=5)
        expect(lane(other, "base")).to_have_attribute("data-frames", "1")
        with page.expect_response("**/queue/join*"):
            page.click(f"{PANEL} summary")
        begin(page, "a pear", steps=5)
        expect(page.locator("#view .status")).to_contain_text("place 1 of 1")
    state(page, "finished")
    assert [recipe.prompt for recipe in imagen.recipes[-2:]] == ["another apple", "a pear"]
