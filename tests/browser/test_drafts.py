"""The wall of drafts in the browser: it grows, is chosen from, promoted, stopped."""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from imagen_core.metadata import read_recipe
from imagen_core.ui import draft_messages
from tests.browser.conftest import OpenPage
from tests.browser.holding import held
from tests.browser.running import enter, press, saved
from tests.browser.test_access import violations
from tests.ui_page import GRADIO_WARNING, Recorded

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]


def draw(page: Page, drafts: int, steps: int, prompt: str = "an apple") -> None:
    page.locator(".tab-container[role=tablist] button", has_text="Create").click()
    page.fill("#field-prompt textarea", prompt)
    page.fill("#field-base-num_steps input[type=number]", str(steps))
    page.keyboard.press("Tab")
    page.click("button[role=tab]:has-text('Drafts')")
    enter(page, "#field-num_drafts", str(drafts))
    page.click("#draw-drafts")


def wall(page: Page, wanted: str) -> None:
    expect(page.locator(".drafts")).to_have_attribute("data-state", wanted, timeout=60_000)


def test_wall_grows_and_the_promoted_draft_is_its_recipes_picture(
    open_page: OpenPage, imagen: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draft_messages, "INTERVAL", 0.0)
    page = open_page()
    page.click("button[role=tab]:has-text('Drafts')")
    expect(page.locator(".drafts .status")).not_to_be_empty()
    tiles = page.locator(".draft")
    with held(imagen, "base", 1) as hold:
        draw(page, 12, 20, "a {red|<b>blue</b>} apple")
        expect(tiles).to_have_count(12)
        for step in (1, 7, 13):
            hold.to("base", step)
            expect(tiles.first).to_have_attribute("data-painted", str(step))
    wall(page, "finished")
    for place in range(12):
        expect(tiles.nth(place)).to_have_attribute("data-painted", "20")
    expect(tiles.nth(1).locator(".draft-label")).to_contain_text("a <b>blue</b> apple")  # text, never markup
    tiles.nth(3).locator("button").click()
    expect(page.locator(".chosen")).to_have_text("1 of 12 chosen")
    page.click(".promote-256")
    card = page.locator(".promoted")
    expect(card).to_have_attribute("data-state", "done", timeout=60_000)
    wall(page, "finished")
    data = saved(card.locator(".save"))
    recipe = read_recipe(data)
    assert (recipe.prompt, recipe.last_stage) == ("a <b>blue</b> apple", "sr256")
    imagen.cascade.forget()
    assert imagen.generate(recipe)[0].tobytes() == Image.open(io.BytesIO(data)).convert("RGB").tobytes()
    card.locator(".open-promoted").click()
    expect(page.locator("#field-prompt textarea")).to_have_value(recipe.prompt, timeout=60_000)
    expect(page.locator("#field-seed input")).to_have_value(str(recipe.seed))
    expect(page.locator("#generate")).to_be_visible()
    press(page, "#generate")
    expect(page.locator("#view .cascade")).to_have_attribute("data-state", "finished", timeout=60_000)


def test_a_draft_asks_before_it_overwrites_what_was_changed_since_the_wall(open_page: OpenPage) -> None:
    page = open_page()
    draw(page, 2, 1, "an apple")
    wall(page, "finished")
    page.locator(".draft button").first.click()
    page.click(".open-draft")  # the wall was drawn from these settings
    expect(page.locator("#view .status")).to_contain_text("Opened its recipe")
    expect(page.locator(".question")).not_to_be_visible()
    page.fill("#field-prompt textarea", "my own words")
    page.click("button[role=tab]:has-text('Drafts')")
    page.click(".open-draft")
    expect(page.locator(".question")).to_contain_text("Open “an apple” in their place?")
    expect(page.locator(".question-open")).to_be_focused()
    expect(page.locator("#field-prompt textarea")).to_have_value("my own words")
    page.keyboard.press("Enter")
    expect(page.locator("#field-prompt textarea")).to_have_value("an apple")


def test_keys_star_and_discard(open_page: OpenPage) -> None:
    page = open_page()
    draw(page, 5, 1)
    wall(page, "finished")
    first = page.locator(".draft button").first
    first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("s")
    page.keyboard.press("End")
    page.keyboard.press("Space")
    expect(page.locator(".draft button[aria-pressed=true]")).to_have_count(1)
    page.keyboard.press("D")  # as with Caps Lock
    expect(page.locator(".draft:visible")).to_have_count(4)
    page.locator(".with-discarded").check(force=True)
    expect(page.locator(".draft:visible")).to_have_count(5)
    page.locator(".only-starred").check(force=True)
    expect(page.locator(".draft:visible")).to_have_count(1)
    assert "starred" in (page.locator(".draft:visible button").get_attribute("aria-label") or "")


def test_stop_ends_the_wall(open_page: OpenPage, imagen: Recorded) -> None:
    page = open_page()
    with held(imagen, "base", 1):
        draw(page, 16, 5)
        expect(page.locator(".draft[data-painted]").first).to_be_visible(timeout=60_000)
        page.click("#stop-drafts")
        wall(page, "stopped")
    draw(page, 2, 1)
    wall(page, "finished")


def test_what_is_promoted_and_stopped_says_so_and_can_be_removed(open_page: OpenPage, imagen: Recorded) -> None:
    page = open_page()
    draw(page, 2, 3)
    wall(page, "finished")
    for tile in page.locator(".draft button").all():
        tile.click()
    imagen.cascade.forget()
    with held(imagen, "base", 1):
        page.click(".promote-256")
        states = page.locator(".promoted-state")
        expect(states).to_have_text([re.compile("step 1 of 3"), re.compile("waits for its turn")])
        expect(page.locator(".remove-promoted:visible")).to_have_count(0)
        page.click("#stop-drafts")
        wall(page, "stopped")
    expect(states).to_have_text([re.compile(r"Seed \d+: stopped"), re.compile(r"Seed \d+: stopped")])
    page.locator(".remove-promoted").first.press("Enter")
    expect(page.locator(".promoted")).to_have_count(1)
    expect(page.locator(".open-promoted")).to_be_focused()
    assert violations(page) == []


def test_stop_in_sweep_leaves_the_wall_alone(open_page: OpenPage, imagen: Recorded) -> None:
    page = open_page()
    with held(imagen, "base", 1):
        draw(page, 4, 3)
        expect(page.locator(".draft[data-painted]").first).to_be_visible(timeout=60_000)
        page.click("button[role=tab]:has-text('Sweep')")
        for _ in range(2):  # the second is answered behind the first, so the first has done what it does
            with page.expect_response(lambda response: response.url.endswith("/run/predict")):
                page.locator("#stop-sweep").click(force=True)
    page.click("button[role=tab]:has-text('Drafts')")
    wall(page, "finished")


def test_stop_at_once_ends_a_wall_that_the_server_has_not_heard_of(open_page: OpenPage, imagen: Recorded) -> None:
    page = open_page()
    page.fill("#field-prompt textarea", "an apple")
    page.click("button[role=tab]:has-text('Drafts')")
    expect(page.locator("#draw-drafts")).to_be_visible()
    with held(imagen, "base", 1):
        page.evaluate(
            """() => {
              const stop = () => document.querySelector("#stop-drafts").click();
              window.addEventListener("imagen:begin-drafts", stop, { once: true });
              document.querySelector("#draw-drafts").click();
            }"""
        )
        wall(page, "stopped")
    expect(page.locator(".drafts")).to_have_attribute("data-state", "stopped")  # and nothing goes on once it may
    expect(page.locator('.draft[data-painted="16"]')).to_have_count(0)


def test_prompts_are_typed_one_a_line(open_page: OpenPage) -> None:
    """Enter ended the field: gradio lets a field of one line do no other."""
    page = open_page()
    page.click("button[role=tab]:has-text('Drafts')")
    enter(page, "#field-num_drafts", "2")
    field = page.locator("#field-prompts textarea")
    field.click()
    page.keyboard.type("a cake\na duck")
    expect(field).to_have_value("a cake\na duck")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".draft-label")).to_have_text([re.compile("a cake"), re.compile("a duck")])
    wall(page, "finished")
    expect(page.locator("#view .cascade")).to_have_attribute("data-state", "empty")  # Create draws nothing


def test_broken_value_is_told(open_page: OpenPage) -> None:
    page = open_page()
    page.click("button[role=tab]:has-text('Drafts')")
    enter(page, "#field-prompts", "{a|b}" * 7)
    page.click("#draw-drafts")
    wall(page, "failed")
    expect(page.locator(".drafts .problem")).to_have_text("prompts must be at most 64 prompts, not 128.")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_everybody_can_use_it(open_page: OpenPage, width: int, dark: bool) -> None:
    page = open_page(width=width, height=844, dark=dark)
    draw(page, 4, 2)
    wall(page, "finished")
    page.locator(".draft button").first.click()
    page.click(".promote-256")
    expect(page.locator(".promoted")).to_have_attribute("data-state", "done", timeout=60_000)
    wall(page, "finished")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    small = page.evaluate(
        """() => [...document.querySelectorAll('#drafts-panel :is(button, .button, .chooser label)')]
          .filter((e) => e.offsetParent && Math.min(e.offsetHeight, e.offsetWidth) < 44)
          .map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert small == []
