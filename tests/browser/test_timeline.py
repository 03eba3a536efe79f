"""One cursor over the steps of all stages: moved, played, followed, enlarged, compared and saved."""

from __future__ import annotations

import itertools

import pytest
from playwright.sync_api import Locator, Page, expect

from imagen_core.recipe import STAGES
from imagen_core.ui import messages
from tests.browser.conftest import OpenPage
from tests.browser.holding import held
from tests.browser.running import begin, state
from tests.browser.scrubbing import STEPS, fill, measure
from tests.browser.test_access import violations
from tests.ui_page import GRADIO_WARNING, Recorded

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]

WAIT = 30_000  # milliseconds
PICTURE = "(canvas) => canvas.toDataURL()"


@pytest.fixture(autouse=True)
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny model is so quick that hardly a step between the first and the last would be shown."""
    monkeypatch.setattr(messages, "INTERVAL", 0.0)


def lane(page: Page, stage: str) -> Locator:
    return page.locator(f".lane[data-stage={stage}]")


def steps(page: Page) -> list[int]:
    """The step that each lane shows."""
    shown = [lane(page, stage).get_attribute("data-step") for stage in STAGES]
    return [int(step or 0) for step in shown]


def drawn(page: Page, prompt: str = "an apple", base_steps: int = 8) -> Locator:
    """The timeline's slider after a run."""
    begin(page, prompt, steps=base_steps)
    state(page, "finished")
    track = page.locator(".track")
    expect(track).to_have_attribute("aria-valuenow", track.get_attribute("aria-valuemax") or "", timeout=WAIT)
    return track


def test_first_impression_is_as_calm_as_before(open_page: OpenPage) -> None:
    page = open_page()
    for part in (".timeline", ".tools", ".kept-bar", ".instrument-panel", ".which"):
        assert page.locator(f"{part}:visible").count() == 0


def test_cursor_passes_the_stages_in_their_order(open_page: OpenPage) -> None:
    page = open_page()
    track = drawn(page)
    total = int(track.get_attribute("aria-valuemax") or 0)
    last = steps(page)
    assert total == sum(last)  # every step of every stage is held
    assert last[0] == 8
    track.press("Home")
    expect(lane(page, "base")).to_have_attribute("data-step", "1", timeout=WAIT)
    assert steps(page) == [1, 0, 0]
    expect(track).to_have_attribute("aria-valuetext", "64 pixels, step 1 of 8")
    expect(lane(page, "sr1024").locator(".hint").first).to_have_text("Not begun at this moment")
    track.press("PageUp")
    expect(lane(page, "base")).to_have_attribute("data-step", "6", timeout=WAIT)
    for _ in range(3):
        track.press("ArrowRight")
    expect(lane(page, "sr256")).to_have_attribute("data-step", "1", timeout=WAIT)
    assert steps(page) == [8, 1, 0]
    track.press("PageDown")
    expect(lane(page, "base")).to_have_attribute("data-step", "4", timeout=WAIT)
    track.press("End")
    expect(lane(page, "sr1024")).to_have_attribute("data-step", str(last[2]), timeout=WAIT)
    assert steps(page) == last


def test_filmstrip_and_pointer_move_the_same_cursor(open_page: OpenPage) -> None:
    page = open_page()
    track = drawn(page)
    film = lane(page, "sr256").locator(".filmstrip")
    film.press("Home")
    expect(track).to_have_attribute("aria-valuenow", "9", timeout=WAIT)
    assert steps(page) == [8, 1, 0]
    box = track.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 3, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 2, box["y"] + 20, steps=6)
    page.mouse.up()
    expect(track).to_have_attribute("aria-valuenow", "1", timeout=WAIT)
    assert steps(page) == [1, 0, 0]
    page.mouse.click(box["x"] + box["width"] * 1.5 / 3, box["y"] + 20)
    expect(lane(page, "base")).to_have_attribute("data-step", "8", timeout=WAIT)
    assert steps(page)[1] >= 1
    assert steps(page)[2] == 0


def test_play_begins_again_at_the_end_and_pauses(open_page: OpenPage) -> None:
    page = open_page()
    track = drawn(page, base_steps=40)
    shown = page.evaluate_handle(
        """() => {
          const seen = { places: [], label: "" };
          const [track, play] = ['.track', '.play'].map((part) => document.querySelector(part));
          new MutationObserver(() => {
            seen.places.push(Number(track.getAttribute('aria-valuenow')));
            if (seen.label || new Set(seen.places).size <= 8) return;
            seen.label = play.getAttribute('aria-label');
            play.click(); // here, because the end might come before a press from outside
          }).observe(track, { attributeFilter: ['aria-valuenow'] });
          return seen;
        }"""
    )
    track.press(" ")
    page.wait_for_function("(seen) => seen.label", arg=shown)
    expect(page.locator(".play")).to_have_attribute("aria-label", "Play the steps", timeout=WAIT)
    assert shown.json_value()["label"] == "Pause"
    seen = shown.json_value()["places"]
    moved = [seen[0], *[b for a, b in itertools.pairwise(seen) if a != b]]
    assert moved == sorted(moved)
    assert moved[0] <= 3
    paused = track.get_attribute("aria-valuenow")
    page.wait_for_timeout(400)
    assert track.get_attribute("aria-valuenow") == paused
    page.click(".play")
    expect(track).to_have_attribute("aria-valuenow", track.get_attribute("aria-valuemax") or "", timeout=WAIT)
    expect(page.locator(".play")).to_have_attribute("aria-label", "Play the steps", timeout=WAIT)


def test_live_follows_again(open_page: OpenPage, imagen: Recorded) -> None:
    page = open_page()
    with held(imagen, "base", 4) as hold:
        begin(page, "a long apple", steps=20)
        expect(lane(page, "base")).to_have_attribute("data-step", "4", timeout=WAIT)
        expect(page.locator(".live")).not_to_be_visible()
        page.locator(".track").press("Home")
        expect(page.locator(".live")).to_be_visible(timeout=WAIT)
        expect(lane(page, "base")).to_have_attribute("data-step", "1", timeout=WAIT)
        hold.to("base", 8)
        expect(lane(page, "base")).to_have_attribute("data-frames", "8", timeout=WAIT)
        expect(lane(page, "base")).to_have_attribute("data-step", "1")
        page.click(".live")
        expect(page.locator(".live")).not_to_be_visible(timeout=WAIT)
        expect(lane(page, "base")).to_have_attribute("data-step", "8", timeout=WAIT)
        hold.to("base", 12)
        expect(lane(page, "base")).to_have_attribute("data-step", "12", timeout=WAIT)
        page.click("#stop")
        state(page, "stopped")


def test_kept_run_follows_the_same_cursor(open_page: OpenPage) -> None:
    page = open_page()
    drawn(page, "a kept apple", base_steps=8)
    kept = lane(page, "base").locator(".picture.kept")
    page.click(".keep")
    expect(page.locator(".kept-note")).to_contain_text("“a kept apple”, seed ", timeout=WAIT)
    expect(page.locator(".kept-note")).to_contain_text("press Generate")
    track = drawn(page, "another apple", base_steps=16)
    expect(page.locator(".kept-note")).not_to_contain_text("press Generate")
    track.press("Home")
    expect(kept.locator(".which")).to_have_text("Kept · step 1 of 8", timeout=WAIT)
    for _ in range(7):
        track.press("ArrowRight")
    expect(kept.locator(".which")).to_have_text("Kept · step 4 of 8", timeout=WAIT)  # the same share of the steps
    assert steps(page)[0] == 8
    now = lane(page, "base").locator(".picture.now canvas:not(.heat)")
    expect(kept.locator("canvas:not(.heat)")).to_have_attribute("data-painted", "x_0 4", timeout=WAIT)
    assert kept.locator("canvas:not(.heat)").evaluate(PICTURE) != now.evaluate(PICTURE)
    assert violations(page) == []
    page.click(".forget")
    expect(kept).not_to_be_visible()
    expect(page.locator(".keep")).to_be_focused()


def test_several_images_and_the_noisy_picture(open_page: OpenPage) -> None:
    page = open_page()
    page.fill("#field-num_images input", "2")
    track = drawn(page, base_steps=3)
    page.click(".keep")
    page.check(".modes input[value=x_t]")
    track.press("Home")
    for which in ("now", "kept"):
        canvas = lane(page, "base").locator(f".picture.{which} canvas:not(.heat)")
        expect(canvas).to_have_attribute("data-painted", "x_t 1", timeout=WAIT)
        assert canvas.evaluate("(canvas) => canvas.width") == 128  # two columns of 64 pixels


def test_timeline_stays_in_sight_on_a_phone(open_page: OpenPage) -> None:
    page = open_page(width=390, height=844)
    drawn(page, base_steps=3)
    page.click(".keep")
    page.click(".zoom")
    lane(page, "base").scroll_into_view_if_needed()
    box = page.locator(".timeline").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] == pytest.approx(844, abs=2)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    small = page.evaluate(
        """() => [...document.querySelectorAll('.cascade :is(button, summary, .track, .chart-plot)')]
          .filter((e) => e.offsetParent && Math.min(e.offsetHeight, e.offsetWidth) < 44).map((e) => e.className)"""
    )
    assert small == []
    assert violations(page) == []


def test_scrubbing_150_steps_leaves_time_to_spare(open_page: OpenPage, address: str) -> None:
    page = open_page()
    fill(page, address)
    expect(page.locator(".track")).to_have_attribute("aria-valuemax", str(3 * STEPS), timeout=WAIT)
    measure(page)
    figures = measure(page)
    assert figures["script"] + figures["layout"] < 1000 / 60
