"""A promoted picture is a finished one: the history keeps it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from imagen_core import link
from imagen_core.metadata import Carried, read_recipe
from imagen_core.recipe import Recipe
from tests.browser.conftest import OpenPage
from tests.browser.running import saved, tab
from tests.browser.test_drafts import draw, wall
from tests.ui_page import GRADIO_WARNING

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]


def test_a_promoted_picture_is_in_the_history_with_its_check(open_page: OpenPage) -> None:
    page = open_page()
    draw(page, 2, 2)
    wall(page, "finished")
    page.locator(".draft button").nth(1).click()
    page.click(".promote-256")
    card = page.locator(".promoted")
    expect(card).to_have_attribute("data-state", "done")
    data = saved(card.locator(".save"))
    tab(page, "History")
    expect(page.locator(".history-entry")).to_have_count(1)
    assert (page.locator(".history-entry img").get_attribute("src") or "").startswith("data:image/jpeg")
    kept = page.evaluate("Object.values(localStorage).map((text) => JSON.parse(text)).find((entry) => entry.link).link")
    assert Recipe.from_link(kept) == read_recipe(data)
    check = Carried(data).check()
    assert check is not None
    assert link.check_in(kept) == check.to_text()
