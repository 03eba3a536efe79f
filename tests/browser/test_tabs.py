"""Several tabs of one browser: over HTTP/1.1 it has six connections to a server, for all of them together."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import PATIENCE
from tests.browser.holding import held
from tests.browser.running import begin, state, until
from tests.ui_page import GRADIO_WARNING, Recorded

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]


def test_eight_idle_tabs_leave_room_for_a_run(browser: Browser, address: str, imagen: Recorded) -> None:
    """Each held a connection as long as it was there: with the seventh nothing went on in any of them."""
    context = browser.new_context()
    tabs = [context.new_page() for _ in range(8)]
    for tab in tabs:
        tab.set_default_timeout(PATIENCE)
        tab.goto(address)
        tab.wait_for_selector(".lane[data-stage=sr1024]", state="attached")
        tab.wait_for_function("window.imagenArrived")
    for tab in (tabs[0], tabs[-1]):
        begin(tab, "an apple", steps=2)
        state(tab, "finished")
    with held(imagen, "base", 1):
        begin(tabs[3], "a lonely apple", steps=2)
        expect(tabs[3].locator(".lane[data-stage=base]")).to_have_attribute("data-frames", "1")
        run = imagen.runs[-1]
        assert not run.closed
        tabs[3].close()
        until(lambda: run.closed, seconds=5)  # without the connection it is told by the page itself
    context.close()
