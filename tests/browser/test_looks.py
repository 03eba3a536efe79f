"""What looks out of place: frames around nothing, places that stay empty, buttons that seem to do something."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.running import begin, state, tab
from tests.ui_page import GRADIO_WARNING

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]

EMPTY_FRAMES = """() => [...document.querySelectorAll('.form')]
  .filter((form) => form.offsetParent && ![...form.children].some((child) => child.offsetHeight)).length"""


def test_no_frame_is_around_nothing_and_stop_is_quiet_where_nothing_runs(open_page: OpenPage) -> None:
    page = open_page()
    colours = []
    for name, stop in (("Create", "#stop"), ("Drafts", "#stop-drafts"), ("Sweep", "#stop-sweep")):
        tab(page, name)
        expect(page.locator(stop)).to_be_visible()
        assert page.evaluate(EMPTY_FRAMES) == 0
        colours.append(page.locator(stop).evaluate("button => getComputedStyle(button).color"))
    assert len(set(colours)) == 1


def test_fields_of_the_sweep_stand_on_one_line(open_page: OpenPage) -> None:
    page = open_page()
    tab(page, "Sweep")
    fields = page.locator("#sweep-ask .form > .block")
    expect(fields).to_have_count(4)
    bottoms = fields.evaluate_all("all => all.map((each) => Math.round(each.getBoundingClientRect().bottom))")
    assert len(set(bottoms)) == 1
    colours = "form => [form, ...form.children].map((each) => getComputedStyle(each).backgroundColor)"
    assert len(set(page.locator("#sweep-ask .form").evaluate(colours))) == 1


def test_a_size_that_is_not_drawn_takes_little_room_on_a_phone(open_page: OpenPage) -> None:
    page = open_page(width=390, height=844)
    page.check("#field-last_stage input[value=base]")
    begin(page, "an apple", steps=2)
    state(page, "finished")
    for stage in ("sr256", "sr1024"):
        lane = page.locator(f".lane[data-stage={stage}]")
        expect(lane).to_contain_text("not part of this run")
        assert lane.evaluate("lane => lane.offsetHeight") < 160
    page.click(".keep")
    expect(page.locator(".lane[data-stage=sr256] .kept .hint")).to_have_text("The run ended at a smaller size")
