"""A page whose model breaks while it draws, or is not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.running import begin, state
from tests.ui_page import GRADIO_WARNING, recorded, served

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]


class TestBrokenModel:
    """A middle stage whose weights are not numbers."""

    @pytest.fixture
    def address(self) -> Iterator[str]:
        imagen = recorded()
        with torch.no_grad():
            for parameter in imagen.cascade.stages["sr256"].unet.parameters():
                parameter.fill_(torch.nan)
        with served(lambda: imagen) as url:
            yield url

    def test_stage_that_breaks_off_keeps_the_earlier_pictures(self, open_page: OpenPage) -> None:
        page = open_page()
        begin(page, "an apple", steps=5)
        state(page, "failed")
        expect(page.locator("#view .problem")).to_contain_text("sr256")
        expect(page.locator(".lane[data-stage=base]")).to_have_attribute("data-state", "done")
        expect(page.locator(".lane[data-stage=base] canvas").first).to_have_attribute("data-painted", "x_0 5")


class TestNoModel:
    """Weights that cannot be loaded."""

    @pytest.fixture
    def address(self, tmp_path: Path) -> Iterator[str]:
        from imagen_core.imagen import Imagen

        with served(lambda: Imagen.from_pretrained(str(tmp_path))) as url:
            yield url

    def test_page_is_there_and_tells_why_it_cannot_draw(self, open_page: OpenPage) -> None:
        page = open_page()
        begin(page, "an apple")
        state(page, "failed")
        expect(page.locator("#view .problem")).to_contain_text("manifest")

    def test_a_surprise_is_an_example_and_then_it_is_told(self, open_page: OpenPage) -> None:
        page = open_page()
        page.click("#surprise")
        state(page, "failed")
        expect(page.locator("#view .problem")).to_contain_text("manifest")
        prompt = page.locator("#field-prompt textarea").input_value()
        assert prompt in page.locator(".chip").all_inner_texts()
