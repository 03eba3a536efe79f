"""The history in the browser: kept across reloads and servers, searched, starred, deleted, exported and imported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from imagen_core.metadata import save_png
from imagen_core.recipe import Recipe
from tests.browser.conftest import OpenPage
from tests.browser.running import begin, press, state
from tests.browser.test_access import violations
from tests.ui_page import GRADIO_WARNING, free_port, recorded, served

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]

ENTRIES = [
    {"link": Recipe(prompt="a red apple", seed=1).to_link(), "time": 1, "thumbnail": "", "starred": False},
    {"link": Recipe(prompt="<b>a blue pear</b>", seed=2).to_link(), "time": 2, "thumbnail": "", "starred": True},
    {"link": Recipe(prompt="a red car", negative_prompt="rust", seed=77).to_link(), "time": 3, "thumbnail": ""},
]


def many(count: int) -> list[dict[str, object]]:
    return [{"link": Recipe(seed=seed).to_link(), "time": seed + 1, "thumbnail": ""} for seed in range(count)]


def tab(page: Page, name: str) -> None:
    page.click(f"button[role=tab]:has-text('{name}')")


def import_entries(page: Page, entries: list[dict[str, object]], **others: object) -> None:
    text = json.dumps({"format": "imagen history", "version": 1, "entries": entries} | others)
    page.set_input_files(".history-file", {"name": "h.json", "mimeType": "application/json", "buffer": text.encode()})


def prompts(page: Page) -> list[str]:
    return page.locator(".history-prompt").all_inner_texts()


def test_a_finished_picture_is_kept_across_a_reload_and_opens_again(open_page: OpenPage) -> None:
    page = open_page()
    page.check("#field-last_stage input[value=sr256]")
    begin(page, "a kept apple", steps=3)
    state(page, "finished")
    seed = page.locator("#field-seed input").input_value()
    tab(page, "History")
    expect(page.locator(".history-entry")).to_have_count(1)
    page.reload()
    page.wait_for_selector(".lane[data-stage=sr1024]")
    tab(page, "History")
    expect(page.locator(".history-facts")).to_contain_text(f"seed {seed}")
    image = page.locator(".history-entry img")
    assert image.evaluate("async (image) => { await image.decode(); return image.naturalWidth; }") == 96
    page.locator(".history-open").press("Enter")
    expect(page.locator("#view .status")).to_contain_text("Opened a recipe of the history")
    expect(page.locator("#field-prompt textarea")).to_have_value("a kept apple")
    expect(page.locator("#field-seed input")).to_have_value(seed)
    expect(page.locator("#field-base-num_steps input[type=number]")).to_have_value("3")
    press(page, "#generate")
    state(page, "finished")
    expect(page.locator(".verdict")).to_have_text("Compared with the picture that was shared: identical.")
    tab(page, "History")
    expect(page.locator(".history-entry")).to_have_count(1)  # the same picture is not there twice


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


def test_search_star_delete_and_undo(open_page: OpenPage) -> None:
    page = open_page()
    tab(page, "History")
    expect(page.locator(".history-status")).to_contain_text("Nothing yet")
    import_entries(page, ENTRIES)
    expect(page.locator(".history-status")).to_have_text("Imported 3.")
    expect(page.locator(".history-prompt")).to_have_text(["a red car", "<b>a blue pear</b>", "a red apple"])
    search = page.locator(".history-search input")
    search.fill("RED a")
    expect(page.locator(".history-entry")).to_have_count(2)
    search.fill("rust")
    expect(page.locator(".history-prompt")).to_have_text(["a red car"])
    search.fill("77 car")
    expect(page.locator(".history-prompt")).to_have_text(["a red car"])
    page.locator(".history-star").press("Enter")
    expect(page.locator(".history-star")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".history-star")).to_be_focused()
    search.fill("no such thing")
    expect(page.locator(".history-status")).to_have_text("No picture here has these words.")
    search.fill("")
    page.check(".history-starred input")
    expect(page.locator(".history-entry")).to_have_count(2)
    page.uncheck(".history-starred input")
    expect(page.locator(".history-entry")).to_have_count(3)
    page.locator(".history-delete").nth(1).press("Enter")
    expect(page.locator(".history-prompt")).to_have_text(["a red car", "a red apple"])
    expect(page.locator(".history-undo")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".history-prompt")).to_have_text(["a red car", "<b>a blue pear</b>", "a red apple"])
    page.click(".history-clear")
    expect(page.locator(".history-entry")).to_have_count(2)
    page.reload()
    tab(page, "History")
    expect(page.locator(".history-prompt")).to_have_text(["a red car", "<b>a blue pear</b>"])


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


def test_more_is_shown_where_the_focus_then_is(open_page: OpenPage) -> None:
    page = open_page()
    tab(page, "History")
    import_entries(page, many(70))
    expect(page.locator(".history-entry")).to_have_count(60)
    page.locator(".history-more").press("Enter")
    expect(page.locator(".history-entry")).to_have_count(70)
    expect(page.locator(".history-open").nth(60)).to_be_focused()
    page.evaluate("window.dispatchEvent(new Event('imagen:history'))")  # a picture was finished meanwhile
    expect(page.locator(".history-open").nth(60)).to_be_focused()


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


def drop(page: Page, path: Path) -> None:
    page.evaluate(
        """(bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], 'apple.png', { type: 'image/png' }));
          document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        list(path.read_bytes()),
    )


def test_a_dropped_picture_asks_before_it_overwrites_an_edited_form(open_page: OpenPage, tmp_path: Path) -> None:
    save_png(Image.new("RGB", (64, 64)), Recipe(prompt="a dropped apple", seed=5), tmp_path / "apple.png")
    page = open_page()
    prompt, question = page.locator("#field-prompt textarea"), page.locator(".question")
    prompt.fill("my own words")
    drop(page, tmp_path / "apple.png")
    expect(question).to_contain_text("Open “a dropped apple” in their place?")
    expect(page.locator(".question-open")).to_be_focused()
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(question).not_to_be_visible()
    expect(prompt).to_have_value("my own words")
    drop(page, tmp_path / "apple.png")
    expect(question).to_be_visible()
    page.keyboard.press("Enter")
    expect(prompt).to_have_value("a dropped apple")
    expect(question).not_to_be_visible()
    with page.expect_response(lambda response: response.url.endswith("/run/predict")):  # the server has noted it
        begin(page, "drawn, so nothing is lost", steps=2)
    state(page, "finished")
    drop(page, tmp_path / "apple.png")
    expect(prompt).to_have_value("a dropped apple")
    expect(question).not_to_be_visible()


def test_axe_finds_nothing_in_the_history(open_page: OpenPage) -> None:
    page = open_page(dark=True)
    tab(page, "History")
    import_entries(page, ENTRIES)
    expect(page.locator(".history-entry")).to_have_count(3)
    assert violations(page) == []
