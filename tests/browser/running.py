"""What a visitor does to draw a picture, and how a test waits for it."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PATIENCE


def begin(page: Page, prompt: str, steps: int | None = None, images: int | None = None) -> None:
    page.fill("#field-prompt textarea", prompt)
    if images is not None:
        page.fill("#field-num_images input", str(images))
        page.keyboard.press("Tab")
    if steps is not None:
        page.fill("#field-base-num_steps input[type=number]", str(steps))
        page.keyboard.press("Tab")
    press(page, "#generate")


def tab(page: Page, name: str) -> None:
    page.click(f"button[role=tab]:has-text('{name}')")


def press(page: Page, button: str) -> None:
    """Press what begins a run, and wait until the page has begun it: what it tells from here on is of this run."""
    page.evaluate(
        """() => {
          window.begunForTest = false;
          window.addEventListener("imagen:begin", () => (window.begunForTest = true), { once: true });
        }"""
    )
    page.click(button)
    page.wait_for_function("window.begunForTest")


def enter(page: Page, field: str, text: str) -> None:
    """Fill a field of a part that was just unfolded: gradio may still set its first value after it can be typed in."""
    boxes = page.locator(f"{field} :is(textarea, input)")  # a slider's are two
    typed = page.locator(f"{field} :is(textarea, input:not([type=range]))")

    def stays() -> bool:
        typed.fill(text)
        typed.press("Tab")
        page.wait_for_timeout(300)
        return set(boxes.evaluate_all("boxes => boxes.map((box) => box.value)")) == {text}

    until(stays)


def state(page: Page, wanted: str) -> None:
    """Wait until the run of the view is in this state, and the page has painted it."""
    expect(page.locator("#view .cascade")).to_have_attribute("data-state", wanted)
    painted(page)


def painted(page: Page) -> None:
    """Wait until the page shows what it has heard: it paints in the next frame of the screen."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def finished_picture(page: Page) -> bytes:
    return saved(page.locator(".download"))


def saved(link: Locator) -> bytes:
    """What a link to a file saves, which may be a copy that the page itself holds."""
    read = """async (link) => {
      const bytes = new Uint8Array(await (await fetch(link.href)).arrayBuffer());
      return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
    }"""
    return base64.b64decode(link.evaluate(read))


def until(condition: Callable[[], bool], seconds: float = PATIENCE / 1000) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
