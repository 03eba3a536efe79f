"""The steps of a run become a file."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.running import saved
from tests.browser.test_access import violations
from tests.browser.test_forks import LARGER, opened
from tests.browser.test_timeline import WAIT, drawn, every_step
from tests.ui_page import GRADIO_WARNING

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]
__all__ = ["every_step"]  # a fixture


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_film_is_the_run(open_page: OpenPage, kind: str) -> None:
    page = open_page()
    track = drawn(page)
    page.click(".film-open")
    page.check(f"[name=film-kind][value={kind}]")
    page.click(".film-make")
    expect(page.locator(".film-save")).to_be_visible(timeout=WAIT)
    film = Image.open(io.BytesIO(saved(page.locator(".film-save"))))
    assert film.format == kind.upper()
    assert 2 <= film.n_frames <= int(track.get_attribute("aria-valuemax") or 0)  # type: ignore[attr-defined]
    assert (page.locator(".film-save").get_attribute("download") or "").endswith(f".{kind}")
    assert violations(page) == []
    page.check("[name=film-what][value=base]")
    expect(page.locator(".film-save")).not_to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".film-open")).to_be_focused()


def test_video_is_recorded_where_the_browser_can(open_page: OpenPage) -> None:
    page = open_page()
    drawn(page)
    page.click(".film-open")
    if not page.locator(".film-video").is_visible():
        pytest.skip("this Chromium was built without a recorder")
    page.check("[name=film-kind][value=video]")
    page.click(".film-make")
    expect(page.locator(".film-save")).to_be_visible(timeout=2 * WAIT)
    assert len(saved(page.locator(".film-save"))) > 2000
    page.wait_for_function("document.querySelector('.film video').videoWidth === 512")


def test_steps_without_noisy_pictures_are_told(open_page: OpenPage) -> None:
    """The server told of a film without frames, and the recorder of a picture that was undefined."""
    opened(open_page(LARGER.to_link()))
    page = opened(open_page(LARGER.to_link()))
    expect(page.locator(".lane[data-state=cached]")).to_have_count(2)
    page.check(".modes input[value=x_t]")
    page.click(".film-open")
    for kind in ("gif", "video"):
        if not page.locator(f"label:has([name=film-kind][value={kind}])").is_visible():
            continue  # this Chromium was built without a recorder
        page.check(f"[name=film-kind][value={kind}]")
        page.click(".film-make")
        told = "Steps that were kept from an earlier run have no noisy pictures: close this and choose Estimate."
        expect(page.locator(".film-status")).to_have_text(told)
    page.click(".film .close")
    page.check(".modes input[value=x_0]")
    page.click(".film-open")
    page.click(".film-make")
    expect(page.locator(".film-save")).to_be_visible()
