"""A history as a file: exported, imported in another browser, and what is no history refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.history_entries import ENTRIES, import_entries, many, prompts
from tests.browser.running import tab
from tests.ui_page import GRADIO_WARNING

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]


def test_export_and_import_in_another_browser(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    tab(page, "History")
    import_entries(page, ENTRIES)
    expect(page.locator(".history-entry")).to_have_count(3)
    with page.expect_download() as download:
        page.click(".history-export")
    download.value.save_as(tmp_path / "history.json")
    other = open_page(width=390, height=844)
    tab(other, "History")
    other.set_input_files(".history-file", tmp_path / "history.json")
    expect(other.locator(".history-entry")).to_have_count(3)
    assert prompts(other) == prompts(page)
    assert other.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    small = other.evaluate(
        """() => [...document.querySelectorAll('.history :is(button, label)')]
          .filter((e) => e.offsetParent && Math.min(e.offsetHeight, e.offsetWidth) < 44).map((e) => e.outerHTML)"""
    )
    assert small == []


def test_an_import_reads_what_is_kept_once_and_tells_what_did_not_fit(open_page: OpenPage) -> None:
    """Every entry of a file was compared with all that was kept, which took a browser seconds."""
    page = open_page()
    tab(page, "History")
    page.evaluate(
        """() => {
          window.reads = 0;
          const get = Storage.prototype.getItem;
          Storage.prototype.getItem = function (key) { window.reads += 1; return get.call(this, key); };
        }"""
    )
    import_entries(page, many(310))
    expect(page.locator(".history-status")).to_have_text(
        "Imported 300. 10 did not fit in: star what shall stay, delete some of the others, and import again."
    )
    assert page.evaluate("window.reads") < 3 * 310


def test_hostile_files_and_a_hostile_storage_do_nothing(open_page: OpenPage) -> None:
    page = open_page()
    tab(page, "History")
    hostile = 'data:image/jpeg;base64,AAAA" onerror="alert(1)'
    import_entries(
        page, [*ENTRIES[:1], ENTRIES[1] | {"thumbnail": hostile}, {"link": "javascript:alert(1)", "time": 1}]
    )
    expect(page.locator(".history-status")).to_contain_text("Imported 1. 2 of its entries are no recipes")
    import_entries(page, [], format="<img src=x onerror=alert(1)>")
    expect(page.locator(".history-status")).to_contain_text("This file is no history")
    page.evaluate(
        """(hostile) => {
          const put = (id, text) => localStorage.setItem(`imagen:history:${id}`, text);
          const link = 'seed=-1&prompt=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E';
          put('"><b>', JSON.stringify({ time: 9, link, thumbnail: '' }));
          put('two', JSON.stringify({ time: 8, link: 'prompt=a', thumbnail: hostile }));
          put('three', '{{{');
          window.dispatchEvent(new Event('imagen:history'));
        }""",
        hostile,
    )
    expect(page.locator(".history-entry")).to_have_count(2)
    page.locator(".history-open").first.click()
    expect(page.locator("#view .problem")).to_contain_text("This entry of the history cannot be opened: seed must be")
    expect(page.locator("#field-prompt textarea")).to_have_value("")
