"""What promoted pictures hold in the browser: the page held the file of every one as long as it was open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from playwright.sync_api import expect

from imagen_core.ui import run_panel
from imagen_core.ui.theme import asset
from tests.browser.conftest import OpenPage
from tests.browser.test_drafts import draw, wall
from tests.ui_page import GRADIO_WARNING, Recorded, served

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]

LIMIT = "const PROMOTED_HELD = 32;"
COPIES = """() => {
  const [make, revoke] = [URL.createObjectURL, URL.revokeObjectURL];
  window.copies = [];
  URL.createObjectURL = (data) => {
    const address = make.call(URL, data);
    window.copies.push(address);
    return address;
  };
  URL.revokeObjectURL = (address) => {
    window.copies = window.copies.filter((other) => other !== address);
    revoke.call(URL, address);
  };
}"""


@pytest.fixture(scope="module")
def server(model: Recorded) -> Iterator[str]:
    """A page that holds two promoted pictures."""

    def small(name: str) -> str:
        text = asset(name)
        if name != "promoted.js":
            return text
        assert LIMIT in text
        return text.replace(LIMIT, "const PROMOTED_HELD = 2;")

    with patch.object(run_panel, "asset", small), served(lambda: model) as url:
        yield url


def test_a_promoted_picture_is_let_go_when_it_is_removed_or_the_oldest_of_too_many(open_page: OpenPage) -> None:
    page = open_page()
    page.evaluate(COPIES)
    draw(page, 3, 1)
    wall(page, "finished")
    for tile in page.locator(".draft button").all():
        tile.click()
    page.click(".promote-256")
    wall(page, "finished")
    saves = page.locator(".promoted .save:visible")
    expect(saves).to_have_count(2)  # the first has made room for the third
    for save in saves.all():
        expect(save).to_have_attribute("href", re.compile("^blob:"))
    page.wait_for_function("window.copies.length === 2")
    page.locator(".remove-promoted").first.press("Enter")
    expect(saves).to_have_count(1)
    expect(page.locator(".open-promoted")).to_be_focused()
    assert page.evaluate("window.copies") == [saves.get_attribute("href")]
