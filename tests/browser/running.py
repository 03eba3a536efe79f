"""What a visitor does to draw a picture, and how a test waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Page, expect


def begin(page: Page, prompt: str, steps: int | None = None, images: int | None = None) -> None:
    page.fill("#field-prompt textarea", prompt)
    if images is not None:
        page.fill("#field-num_images input", str(images))
        page.keyboard.press("Tab")
    if steps is not None:
        page.fill("#field-base-num_steps input[type=number]", str(steps))
        page.keyboard.press("Tab")
    page.click("#generate")


def begin_long(page: Page, prompt: str) -> None:
    """Begin what takes the tiny model some ten seconds: long enough for whatever a test does meanwhile."""
    begin(page, prompt, steps=250, images=4)


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
    expect(page.locator("#view .cascade")).to_have_attribute("data-state", wanted, timeout=30_000)


def finished_picture(page: Page) -> bytes:
    return page.request.get(page.locator(".download").get_attribute("href") or "").body()


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
