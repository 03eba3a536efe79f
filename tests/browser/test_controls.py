"""What a visitor can do with the page before and after a run."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from playwright.sync_api import expect

from imagen_core.metadata import save_png
from imagen_core.recipe import Recipe
from tests.browser.conftest import OpenPage
from tests.browser.test_run import begin, finished_picture, state
from tests.ui_page import GRADIO_WARNING, recorded, served

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]


def test_filmstrip_follows_the_keyboard_while_it_grows_and_after(open_page: OpenPage) -> None:
    page = open_page()
    begin(page, "a scrubbed apple", steps=200)
    lane = page.locator(".lane[data-stage=base]")
    film = lane.locator("[role=slider]")
    expect(film).to_be_enabled()
    expect(lane).not_to_have_attribute("data-frames", "0")
    film.press("Home")
    expect(lane).to_have_attribute("data-step", "1")
    state(page, "finished")
    expect(lane).to_have_attribute("data-step", "1")  # the cursor stayed where it was put
    assert (film.get_attribute("aria-valuetext") or "").startswith("step 1 of ")
    first = lane.locator("canvas").first.evaluate("(canvas) => canvas.toDataURL()")
    film.press("ArrowRight")
    expect(lane).not_to_have_attribute("data-step", "1")
    film.press("End")
    expect(film).to_have_attribute("aria-valuenow", film.get_attribute("aria-valuemax") or "")
    expect(lane.locator("[data-of=log_snr]")).not_to_have_text("–")
    expect(lane).to_have_attribute("data-step", film.get_attribute("aria-valuemax") or "")
    assert lane.locator("canvas").first.evaluate("(canvas) => canvas.toDataURL()") != first


def test_filmstrip_follows_the_pointer(open_page: OpenPage) -> None:
    page = open_page()
    begin(page, "a dragged apple", steps=100)
    state(page, "finished")
    lane = page.locator(".lane[data-stage=base]")
    box = lane.locator(".filmstrip").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] - 50, box["y"] + 20, steps=5)
    page.mouse.up()
    expect(lane).to_have_attribute("data-step", "1")


@pytest.mark.parametrize("mode", ["x_t", "difference"])
def test_other_pictures_of_a_step(open_page: OpenPage, mode: str) -> None:
    page = open_page()
    begin(page, "an apple", steps=5)
    state(page, "finished")
    for stage in ("base", "sr256", "sr1024"):
        canvas = page.locator(f".lane[data-stage={stage}] .picture canvas")
        before = canvas.evaluate("(canvas) => canvas.toDataURL()")
        page.check(f".modes input[value={mode}]")
        last = page.locator(f".lane[data-stage={stage}]").get_attribute("data-step")
        expect(canvas).to_have_attribute("data-painted", f"{mode} {last}")
        assert canvas.evaluate("(canvas) => canvas.toDataURL()") != before
        page.check(".modes input[value=x_0]")


def test_comparison_opens_and_closes(open_page: OpenPage) -> None:
    page = open_page()
    begin(page, "an apple", steps=5)
    state(page, "finished")
    page.click(".compare")
    expect(page.locator(".comparison")).to_be_visible()
    page.locator(".split").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".split")).to_have_value("49")
    page.keyboard.press("Escape")
    expect(page.locator(".comparison")).not_to_be_visible()
    expect(page.locator(".compare")).to_be_focused()


def test_seed_is_new_unless_locked(open_page: OpenPage) -> None:
    page = open_page()
    seed = page.locator("#field-seed input")
    seed.fill("7")
    page.check("#lock input")
    begin(page, "an apple", steps=2)
    state(page, "finished")
    expect(seed).to_have_value("7")
    page.uncheck("#lock input")
    begin(page, "an apple", steps=2)
    expect(seed).not_to_have_value("7")
    drawn = seed.input_value()
    state(page, "finished")
    expect(page.locator(".result-text")).to_contain_text(f"Seed {drawn}.")
    page.click("#dice")
    expect(seed).not_to_have_value(drawn)


def test_reading_tells_tokens_cut_and_unknown_words(open_page: OpenPage) -> None:
    page = open_page()
    reading = page.locator(".reading")
    page.fill("#field-prompt textarea", "a red apple")
    expect(reading).to_contain_text("5 of 64 tokens.")
    page.fill("#field-prompt textarea", "a red apple " * 40 + "犬")
    expect(reading).to_contain_text("this is cut off")
    expect(reading).to_contain_text("Unknown to the text encoder, so ignored: 犬.")
    page.fill("#field-prompt textarea", "a" * 1001)
    expect(reading).to_have_text("prompt must be at most 1,000 characters, not 1,001.")
    page.fill("#field-prompt textarea", "")
    expect(reading).to_have_text("")


def test_control_enter_begins(open_page: OpenPage) -> None:
    page = open_page()
    page.fill("#field-prompt textarea", "an apple")
    page.fill("#field-negative_prompt textarea", "blue")
    page.keyboard.press("Control+Enter")
    state(page, "finished")


def test_dropped_picture_opens_its_recipe(open_page: OpenPage, tmp_path: Path) -> None:
    recipe = Recipe(prompt="ein Apfel 🍎", negative_prompt="blau", seed=99).updated(
        {"sr256": {"num_steps": 3, "seed": 5}}
    )
    save_png(Image.new("RGB", (64, 64)), recipe, tmp_path / "apple.png")
    page = open_page()
    page.evaluate(
        """(bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], 'apple.png', { type: 'image/png' }));
          document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        list((tmp_path / "apple.png").read_bytes()),
    )
    expect(page.locator(".status")).to_contain_text("Opened the picture's recipe")
    expect(page.locator("#field-prompt textarea")).to_have_value("ein Apfel 🍎")
    page.click("#generate")
    state(page, "finished")
    data = io.BytesIO(finished_picture(page))
    assert Image.open(data).text["imagen_recipe"] == recipe.to_json()  # type: ignore[attr-defined]


def test_foreign_picture_is_refused_in_a_sentence_that_stays(open_page: OpenPage, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "foreign.png")
    page = open_page()
    page.set_input_files("input[type=file]", tmp_path / "foreign.png")
    expect(page.locator(".problem")).to_contain_text("carries no recipe")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("prompt=a&colour=red", "This link cannot be opened: colour is not among the known names"),
        ("prompt=a&seed=-1", "This link cannot be opened: seed must be a whole number"),
        ("prompt=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&seed=x", "seed must be a whole number"),
    ],
)
def test_broken_link_is_told(open_page: OpenPage, query: str, sentence: str) -> None:
    page = open_page(query=query)
    expect(page.locator(".problem")).to_contain_text(sentence)
    expect(page.locator("#field-prompt textarea")).to_have_value("")


def test_link_to_a_long_run_waits_for_a_click(open_page: OpenPage) -> None:
    page = open_page(query="prompt=a+costly+apple&num_images=16")
    expect(page.locator(".status")).to_contain_text("press Generate to begin")
    expect(page.locator("#field-num_images input")).to_have_value("16")
    expect(page.locator(".cascade")).to_have_attribute("data-state", "empty")


def test_markup_in_a_prompt_stays_text(open_page: OpenPage) -> None:
    page = open_page(query="prompt=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%7B%7Bvalue%7D%7D%24%7Balert(1)%7D")
    state(page, "finished")
    expect(page.locator("#field-prompt textarea")).to_have_value("<img src=x onerror=alert(1)>{{value}}${alert(1)}")


def test_wrong_value_is_told_and_marked_until_it_is_mended(open_page: OpenPage) -> None:
    page = open_page()
    page.check("#lock input")
    page.fill("#field-seed input", "1.5")
    begin(page, "an apple")
    state(page, "failed")
    expect(page.locator(".problem")).to_have_text("seed must be a whole number from 0 to 4294967295, not 1.5.")
    assert page.locator("#field-seed.field-problem").count() == 1
    page.wait_for_timeout(1500)
    expect(page.locator(".problem")).to_be_visible()
    page.fill("#field-seed input", "1")
    begin(page, "an apple", steps=2)
    state(page, "finished")
    expect(page.locator(".problem")).not_to_be_visible()
    assert page.locator(".field-problem").count() == 0


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
        expect(page.locator(".problem")).to_contain_text("sr256")
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
        expect(page.locator(".problem")).to_contain_text("manifest")
