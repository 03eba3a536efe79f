"""Where a history is kept: the browser's storage, which outlives a server, other windows write to, and may be full."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from imagen_core.recipe import Recipe
from tests.browser.conftest import OpenPage
from tests.browser.history_entries import ENTRIES, import_entries, prompts
from tests.browser.running import begin, state, tab
from tests.ui_page import GRADIO_WARNING, free_port, recorded, served

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]


def test_the_history_outlives_the_server(browser: Browser) -> None:
    port = free_port()
    context = browser.new_context()
    page = context.new_page()
    for visit in range(2):
        with served(recorded, port) as address:
            page.goto(address)
            page.wait_for_selector(".lane[data-stage=sr1024]")
            if visit == 0:
                tab(page, "History")
                import_entries(page, ENTRIES)
            else:
                tab(page, "History")
            expect(page.locator(".history-entry")).to_have_count(3)
    context.close()


def test_another_window_that_imports_is_listened_to_once(open_page: OpenPage) -> None:
    page = open_page()
    tab(page, "History")
    import_entries(page, ENTRIES)
    expect(page.locator(".history-entry")).to_have_count(3)
    page.evaluate(
        """() => {
          window.renders = 0;
          const list = document.querySelector(".history-list");
          new MutationObserver(() => (window.renders += 1)).observe(list, { childList: true });
          const events = [...Array(50).keys()].map((n) => new StorageEvent("storage", { key: `imagen:history:${n}` }));
          (async () => {
            for (const event of events) { window.dispatchEvent(event); await new Promise(requestAnimationFrame); }
          })();
        }"""
    )
    page.wait_for_function("window.renders")
    assert page.evaluate("window.renders") == 1


def test_a_full_storage_drops_the_oldest_without_a_star(open_page: OpenPage) -> None:
    page = open_page()
    tab(page, "History")
    import_entries(page, ENTRIES)
    expect(page.locator(".history-entry")).to_have_count(3)
    page.evaluate("""() => {
      let size = 1 << 20;
      for (let n = 0; size > 16; n += 1) {
        try { localStorage.setItem(`filler${n}`, 'x'.repeat(size)); } catch { size >>= 1; }
      }
    }""")
    import_entries(page, [ENTRIES[0] | {"link": Recipe(prompt="a new plum").to_link(), "time": 4}])
    expect(page.locator(".history-prompt").first).to_have_text("a new plum")
    assert "<b>a blue pear</b>" in prompts(page)  # it has a star
    assert "a red apple" not in prompts(page)


def test_a_browser_that_keeps_nothing_is_not_told_that_it_is_full(open_page: OpenPage) -> None:
    page = open_page()
    page.evaluate("Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no'); } })")
    begin(page, "an apple", steps=2)
    state(page, "finished")
    page.wait_for_timeout(300)  # the thumbnail is made behind the picture
    tab(page, "History")
    expect(page.locator(".history-status")).not_to_contain_text("full")
