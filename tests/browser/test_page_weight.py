"""What a visitor's first look costs: all that the browser fetches, as it is sent."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import PATIENCE
from tests.browser.running import tab
from tests.ui_page import GRADIO_WARNING

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]

MAX_BYTES = 1_000_000


def test_all_tabs_together_are_below_a_megabyte(browser: Browser, address: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    sent: list[float] = []

    def loaded(event: dict[str, Any]) -> None:
        sent.append(event["encodedDataLength"])  # compressed, with its headers

    session.on("Network.loadingFinished", loaded)
    page.goto(address)  # never idle: gradio listens for news all the time
    expect(page.locator("#field-prompt textarea")).to_be_visible()
    for name in ("Drafts", "Sweep", "History", "About", "Create"):
        tab(page, name)
    expect(page.locator(".vocabulary-body")).to_have_count(1)
    context.close()
    assert sum(sent) > 100_000  # it was measured
    assert sum(sent) < MAX_BYTES
