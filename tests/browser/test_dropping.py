"""A PNG that is dropped on any tab is opened where a visitor sees it: a recipe in Create, a sheet in Sweep."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from imagen_core.contact_sheet import to_png
from imagen_core.metadata import save_png
from imagen_core.recipe import Recipe
from imagen_core.sweep import Sweep
from imagen_core.sweep_axis import Axis
from tests.browser.conftest import OpenPage
from tests.browser.test_history import drop, tab
from tests.ui_page import GRADIO_WARNING

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]

RECIPE = Recipe(prompt="a dropped apple", seed=5)
SWEEP = Sweep(RECIPE, (Axis.of("base.guidance_scale", "1,3"), Axis.of("base.scheduler", "ddim,euler")))


def shown(page: Page, name: str) -> None:
    expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")


def test_picture_on_another_tab_opens_in_create(open_page: OpenPage, tmp_path: Path) -> None:
    save_png(Image.new("RGB", (64, 64)), RECIPE, tmp_path / "apple.png")
    page = open_page()
    tab(page, "About")
    drop(page, tmp_path / "apple.png")
    shown(page, "Create")
    expect(page.locator("#view .status")).to_contain_text("Opened the picture's recipe")
    expect(page.locator("#field-prompt textarea")).to_have_value("a dropped apple")


def test_sheet_opens_its_sweep(open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "sheet.png").write_bytes(to_png(SWEEP, [Image.new("RGB", (8, 8))] * 4))
    page = open_page()
    page.fill("#field-prompt textarea", "my own words")
    drop(page, tmp_path / "sheet.png")
    expect(page.locator(".question")).to_contain_text("Open “a dropped apple” in their place?")
    page.keyboard.press("Enter")
    shown(page, "Sweep")
    expect(page.locator(".sweep .status")).to_have_text("Opened a sweep: press Draw.")
    expect(page.locator("#field-sweep-x-values textarea")).to_have_value("1,3")
    expect(page.locator("#field-sweep-y-values textarea")).to_have_value("ddim,euler")
    expect(page.locator("#field-sweep-y input")).to_have_value("base.scheduler")
    tab(page, "Create")
    expect(page.locator("#field-prompt textarea")).to_have_value("a dropped apple")
