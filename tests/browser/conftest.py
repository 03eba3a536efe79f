"""A browser, and pages in it that fail their test when they call outside or print an error."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.ui_page import Recorded, recorded, served

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
OpenPage = Callable[..., Page]
PATIENCE = 30_000  # milliseconds; the machine may be busy, and a wait ends as soon as it has what it waits for
expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that waited in vain for the browser is tried once more, and told as "R" with its first failure.

    Page, model and browser share two cores here. What was there and was wrong fails at once: pixels, errors in the
    console, requests to others.
    """
    late = ["TimeoutError", "waited in vain", "Locator expected"]
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=late))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        stop = pytest.fail if os.environ.get("IMAGEN_BROWSER_REQUIRED") else pytest.skip
        stop("no Chromium: install it (apt-get install chromium) or name it in CHROMIUM")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def model() -> Recorded:
    return recorded()


@pytest.fixture(scope="module")
def server(model: Recorded) -> Iterator[str]:
    with served(lambda: model) as url:
        yield url


@pytest.fixture
def imagen(model: Recorded) -> Recorded:
    """The page's model, with nothing kept: what another test or an earlier try has drawn is drawn again."""
    model.cascade.forget()
    return model


@pytest.fixture
def address(server: str, imagen: Recorded) -> str:
    return server


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[OpenPage]:
    """Opens the page, each time as another visitor; at the end nothing may have gone wrong in any of them."""
    with ExitStack() as stack:
        wrong: list[str] = []

        def open_one(query: str = "", width: int = 1440, height: int = 900, dark: bool = False) -> Page:
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if dark else "light",
                has_touch=width < 500,
                permissions=["clipboard-read", "clipboard-write"],
            )
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("dialog", lambda dialog: wrong.append(dialog.message))
            page.on("request", lambda request: None if inside(request.url) else wrong.append(request.url))
            page.goto(f"{address}?{query}" if query else address)
            page.wait_for_selector(".lane[data-stage=sr1024]", state="attached")  # a link may open another tab
            return page

        def inside(url: str) -> bool:
            return url.startswith((address, "data:", "blob:"))

        yield open_one
        assert wrong == []
