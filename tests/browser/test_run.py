"""A run in the browser: frames stream, visitors do not mix, links replay, stages are kept."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image
from playwright.sync_api import expect

from imagen_core.events import Event, Preview
from imagen_core.metadata import read_recipe
from imagen_core.recipe import STAGES, Recipe
from imagen_core.ui import messages
from imagen_core.ui.theme import asset
from tests.browser.conftest import OpenPage
from tests.browser.holding import held
from tests.browser.running import begin, enter, finished_picture, press, state
from tests.browser.test_timeline import every_step
from tests.ui_page import GRADIO_WARNING, Recorded

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]
__all__ = ["every_step"]  # a fixture

COUNT_FRAMES = """() => {
  window.seen = {};
  for (const lane of document.querySelectorAll('.lane')) {
    const pictures = new Set();
    window.seen[lane.dataset.stage] = pictures;
    const canvas = lane.querySelector('.picture canvas');
    new MutationObserver(() => { if (canvas.dataset.painted) pictures.add(canvas.toDataURL()); })
      .observe(canvas, { attributeFilter: ['data-painted'] });
  }
}"""


def test_every_stage_streams_distinct_frames_and_ends_with_the_picture(open_page: OpenPage, imagen: Recorded) -> None:
    steps = {"base": {"num_steps": 60}, "sr256": {"num_steps": 16}, "sr1024": {"num_steps": 4}}
    shown = [*(("base", step) for step in (1, 20, 40, 59)), ("sr256", 1), ("sr256", 15), ("sr1024", 1), ("sr1024", 3)]
    page = open_page(Recipe(prompt="a red apple").updated(steps).to_link())
    state(page, "finished")  # a link is drawn at once
    page.evaluate(COUNT_FRAMES)
    page.uncheck("#lock input")
    with held(imagen, "base", 1) as hold:
        press(page, "#generate")
        for stage, step in shown:
            hold.to(stage, step)
            lane = page.locator(f".lane[data-stage={stage}]")
            expect(lane).to_have_attribute("data-state", "running")
            expect(lane.locator(".picture.now canvas").first).to_have_attribute("data-painted", f"x_0 {step}")
    state(page, "finished")
    seen = page.evaluate("Object.fromEntries(Object.entries(seen).map(([stage, pictures]) => [stage, pictures.size]))")
    assert seen["base"] >= 4
    assert seen["sr256"] >= 2
    assert seen["sr1024"] >= 2
    for stage in STAGES:
        lane = page.locator(f".lane[data-stage={stage}]")
        expect(lane).to_have_attribute("data-state", "done")
        expect(lane.locator(".bar")).to_have_attribute("aria-valuenow", "100")
        expect(lane.locator(".left")).to_contain_text("took")
    data = finished_picture(page)
    assert Image.open(io.BytesIO(data)).size == (1024, 1024)
    assert read_recipe(data).base.num_steps == 60


def test_the_time_left_counts_every_step_that_was_drawn(
    open_page: OpenPage, imagen: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It left out the first one, and told twice the time at the second."""
    event = messages.Messages.event

    def slow(run: messages.Messages, told: Event) -> messages.Message | None:
        return event(run, replace(told, seconds=10.0 * told.step) if isinstance(told, Preview) else told)

    monkeypatch.setattr(messages.Messages, "event", slow)
    page = open_page()
    with held(imagen, "base", 1) as hold:
        begin(page, "a slow apple", steps=6)
        for step, left in ((1, "50 s left"), (2, "40 s left"), (4, "20 s left")):
            hold.to("base", step)
            expect(page.locator(".lane[data-stage=base] .left")).to_have_text(left)


def test_times_are_told_in_whole_units(open_page: OpenPage) -> None:
    told = open_page().evaluate(f"{asset('lane.js')}; [0.04, 89.4, 119.6, 3599.8, 7300].map(time)")
    assert told == ["0.0 s", "89 s", "2 min 0 s", "60 min 0 s", "2 h 2 min"]


def test_two_visitors_wait_for_each_other_and_do_not_mix(open_page: OpenPage, imagen: Recorded) -> None:
    first, second = open_page(), open_page()
    with held(imagen, "base", 1):
        begin(first, "a first apple", steps=5)
        expect(first.locator(".lane[data-stage=base]")).to_have_attribute("data-state", "running")
        begin(second, "a second apple", steps=5)
        expect(second.locator("#view .status")).to_contain_text("place 1 of 1")
    state(first, "finished")
    state(second, "finished")
    assert read_recipe(finished_picture(first)).prompt == "a first apple"
    assert read_recipe(finished_picture(second)).prompt == "a second apple"


def test_link_draws_the_same_picture_for_another_visitor(open_page: OpenPage) -> None:
    page = open_page()
    begin(page, 'a "red" apple & <b>more</b>', steps=5)
    state(page, "finished")
    page.click(".copy")
    expect(page.locator(".copy")).to_have_text("Link copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(page.url)
    other = open_page(query=link.partition("?")[2])
    state(other, "finished")
    expect(other.locator("#field-prompt textarea")).to_have_value('a "red" apple & <b>more</b>')
    expect(other.locator("#lock input")).to_be_checked()
    assert finished_picture(other) == finished_picture(page)


def test_cached_stages_say_so(open_page: OpenPage) -> None:
    page = open_page()
    page.check("#lock input")
    begin(page, "an apple to keep", steps=5)
    state(page, "finished")
    page.click("text=sr1024: 256 → 1024")
    enter(page, "#field-sr1024-num_steps", "2")
    press(page, "#generate")
    state(page, "finished")
    expect(page.locator(".lane[data-stage=sr1024] .steps")).to_have_text("step 2 of 2")
    for stage in ("base", "sr256"):
        expect(page.locator(f".lane[data-stage={stage}] .steps")).to_have_text("kept from an earlier run")
    expect(page.locator("#view .status")).to_contain_text("64 and 256 pixels kept from an earlier run.")
    page.check(".modes input[value=x_t]", force=True)
    for stage in ("base", "sr256"):
        picture = page.locator(f".lane[data-stage={stage}] .picture.now")
        expect(picture.locator(".hint")).to_have_text("No noisy picture: this stage was kept from an earlier run")
        expect(picture).to_have_attribute("data-empty", "")
    expect(page.locator(".lane[data-stage=sr1024] canvas[role=img]").first).to_have_attribute("data-painted", "x_t 2")
    page.check(".modes input[value=x_0]", force=True)
    expect(page.locator(".lane[data-stage=base] .picture.now .hint")).to_be_hidden()


def test_several_images_are_a_grid_with_one_chosen(open_page: OpenPage) -> None:
    page = open_page()
    page.fill("#field-num_images input", "3")
    page.check("#lock input")
    page.fill("#field-seed input", "4294967295")
    page.check("#field-last_stage input[value=sr256]")
    begin(page, "three apples", steps=3)
    state(page, "finished")
    expect(page.locator(".picks label")).to_have_count(3)
    page.locator(".lane[data-stage=base] .picture.now").click(position={"x": 200, "y": 30})
    expect(page.locator(".result-text")).to_contain_text("Image 2 of 3, seed 0.")
    expect(page.locator(".zoom")).to_have_attribute("aria-pressed", "false")  # the click chose, it did not enlarge
    recipe = read_recipe(finished_picture(page))
    assert recipe == Recipe(prompt="three apples", seed=2**32 - 1, num_images=3, last_stage="sr256").updated(
        {"base": {"num_steps": 3}}
    ).for_image(1)


def test_example_fills_the_prompt_and_begins(open_page: OpenPage) -> None:
    page = open_page()
    chip = page.locator(".chip", has_text="panda")
    chip.click()
    state(page, "finished")
    expect(page.locator("#field-prompt textarea")).to_have_value(chip.inner_text())


def test_surprise_is_drawn_and_is_of_what_the_model_knows(open_page: OpenPage, imagen: Recorded) -> None:
    page = open_page()
    page.click("#surprise")
    state(page, "finished")
    prompt = page.locator("#field-prompt textarea").input_value()
    assert prompt == read_recipe(finished_picture(page)).prompt
    assert imagen.vocabulary is not None
    assert prompt
    assert imagen.vocabulary.foreign(prompt) == ()
