"""What a visitor is told, without a browser."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import gradio as gr
import pytest
from gradio.components import Component
from PIL import Image

from imagen_core.imagen import Imagen
from imagen_core.metadata import read_recipe, save_png
from imagen_core.presets import PRESETS
from imagen_core.recipe import Recipe
from imagen_core.ui.drawing import file_name
from imagen_core.ui.form import Form
from imagen_core.ui.handlers import Handlers
from imagen_core.ui.model import BackgroundModel, Models
from imagen_core.ui.openings import Openings, Outputs
from imagen_core.ui.reading import prompt_reader
from imagen_core.ui.settings_panel import quick_settings, stage_settings
from imagen_core.ui.sweep_handlers import AxisControls, SweepControls
from imagen_core.ui.variation_panel import variation_panel
from tests.conftest import make_tiny_imagen
from tests.ui_page import in_a_loop, recorded

SMALL = Recipe(prompt="an apple", seed=7, last_stage="base").updated({"base": {"num_steps": 3}})
Make = Callable[[Callable[[], Imagen]], Handlers]


class Page:
    """A form and what belongs to it, placed but not served."""

    def __init__(self) -> None:
        with gr.Blocks(analytics_enabled=False):
            quick = quick_settings(Recipe())
            controls: dict[str, Component] = {"prompt": gr.Textbox(), "model": gr.State("bundled")}
            more = variation_panel(Recipe(), lambda _: {}).controls | stage_settings(Recipe(), lambda _: {})
            self.form = Form(controls | quick.controls | more, Recipe(), gr.Textbox())
            states = (gr.State(None), gr.State(None), gr.State(None))
            axes = (AxisControls(gr.Dropdown(), gr.Textbox()), AxisControls(gr.Dropdown(), gr.Textbox()))
            sweep = SweepControls(axes, gr.HTML())
            self.outputs = Outputs(gr.HTML(), quick.lock, gr.HTML(), *states, gr.Checkbox(), gr.Textbox(), sweep)
            models = Models("bundled", {"bundled": BackgroundModel(make_tiny_imagen)})
            self.openings = Openings(models, self.form, self.outputs)

    def handlers(self, load: Callable[[], Imagen], address: str = "") -> Handlers:
        return Handlers(Models("bundled", {"bundled": BackgroundModel(load)}), self.form, self.outputs, address)


@pytest.fixture(scope="module")
def page() -> Page:
    return in_a_loop(Page)


def visitor(name: str = "someone") -> gr.Request:
    return gr.Request(session_hash=name)


def told(handlers: Handlers, page: Page, recipe: Recipe) -> list[dict[str, Any]]:
    return list(handlers.draw(page.form.show(recipe), visitor()))


def test_finished_pictures_are_files_with_their_own_recipe_and_link(page: Page, tiny_imagen: Imagen) -> None:
    recipe = replace(SMALL, num_images=2, seed=2**32 - 1)
    run = page.handlers(lambda: tiny_imagen, "https://huggingface.co/spaces/one/two").draw(
        page.form.show(recipe), visitor()
    )
    last: dict[str, Any] = {}
    for message in run:
        last = message
        if message["kind"] == "finished":
            recipes = [read_recipe(Path(file["file"]["path"])) for file in message["files"]]
            assert recipes == [recipe.for_image(0), recipe.for_image(1)]
            assert [Recipe.from_link(file["link"]) for file in message["files"]] == recipes
            assert {file["page"] for file in message["files"]} == {"https://huggingface.co/spaces/one/two"}
    assert last["kind"] == "finished"
    assert not any(Path(file["file"]["path"]).exists() for file in last["files"])  # gradio has its own copy by then


def test_names_of_files_are_plain(tmp_path: Path) -> None:
    assert file_name(Recipe(prompt="a Red apple, on/../a table!", seed=3)) == "a-red-apple-on-a-table-3.png"
    assert file_name(Recipe(prompt="犬 🍎")) == "picture-0.png"
    assert file_name(Recipe(variation=0.5, variation_seed=9)) == "picture-0-9.png"
    assert len(file_name(Recipe(prompt="a" * 1000))) < 70


def test_model_that_cannot_be_loaded_is_told(page: Page, tmp_path: Path) -> None:
    handlers = page.handlers(lambda: Imagen.from_pretrained(str(tmp_path)))
    begun, note, failed = told(handlers, page, SMALL)
    assert (begun["kind"], note["kind"], failed["kind"]) == ("begun", "note", "failed")
    assert "manifest.json" in failed["text"]


def test_full_disk_is_told_and_the_run_still_counts(
    page: Page, tiny_imagen: Imagen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("imagen_core.ui.handlers.tempfile.TemporaryDirectory", no_space)
    *before, failed = told(page.handlers(lambda: tiny_imagen), page, SMALL)
    assert "done" in before[-1]
    assert failed["text"] == "A file of the picture cannot be written or read: No space left on device."


def test_unexpected_error_is_a_sentence_and_goes_to_the_log(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    def load() -> Imagen:
        raise ZeroDivisionError("division by zero")

    failed = told(page.handlers(load), page, SMALL)[-1]
    assert failed["text"] == "Something is wrong in the program itself (ZeroDivisionError); its log tells where."
    assert "division by zero" in caplog.text


def test_stop_reaches_the_run_of_that_visitor(page: Page, tiny_imagen: Imagen) -> None:
    handlers = page.handlers(lambda: tiny_imagen)
    long = SMALL.updated({"base": {"num_steps": 250}})
    mine: Iterator[dict[str, Any]] = handlers.draw(page.form.show(long), visitor("me"))
    while next(mine)["kind"] != "step":
        pass
    handlers.stop(visitor("another"))
    assert next(mine)["kind"] == "step"
    stopping = threading.Thread(target=handlers.stop, args=[visitor("me")])
    stopping.start()
    stopping.join()
    assert [message["kind"] for message in mine][-1] == "stopped"


def test_closed_generator_closes_the_run(page: Page) -> None:
    """A visitor who leaves: gradio closes the generator, and nothing may go on drawing."""
    imagen = recorded()
    run = page.handlers(lambda: imagen).draw(page.form.show(SMALL), visitor())
    while next(run)["kind"] != "step":
        pass
    assert not imagen.runs[0].closed
    run.close()  # type: ignore[attr-defined]
    assert imagen.runs[0].closed


@pytest.mark.parametrize("prompt", [None, 7, ["a"], "a\0b", "\ud800", "a" * 1_000_000])
def test_reading_answers_whatever_it_is_asked(tiny_imagen: Imagen, prompt: object) -> None:
    models = Models("bundled", {"bundled": BackgroundModel(lambda: tiny_imagen)})
    models.first.get()
    answer = prompt_reader(models)({"prompt": prompt, "model": None})
    assert list(answer) == ["problem"]
    assert str(answer["problem"]).startswith("prompt must ")
    str(answer["problem"]).encode()


def test_reading_waits_for_the_model_and_tells_when_it_never_comes(tmp_path: Path) -> None:
    model = BackgroundModel(lambda: Imagen.from_pretrained(str(tmp_path)))
    read = prompt_reader(Models("local", {"local": model, "bundled": BackgroundModel(make_tiny_imagen)}))
    assert read({"prompt": ""}) == {}
    assert read({"prompt": "an apple"}) == {"loading": True}
    assert read({"prompt": "an apple", "model": "bundled"}) == {}  # not the first: it loads when it is to draw
    with pytest.raises(RuntimeError):
        model.get()
    assert "manifest.json" in str(read({"prompt": "an apple"})["problem"])


@pytest.mark.parametrize("asked", [None, 7, [], {}, {"prompt": "a", "model": "x"}, {"prompt": "a", "model": ["x"]}])
def test_reading_survives_what_no_page_of_ours_asks(tiny_imagen: Imagen, asked: object) -> None:
    models = Models("bundled", {"bundled": BackgroundModel(lambda: tiny_imagen)})
    models.first.get()
    assert list(prompt_reader(models)(asked)) == ["problem"]


def test_a_recipe_for_another_model_leaves_the_page_as_it_is_until_the_answer(page: Page, tmp_path: Path) -> None:
    """It once changed the form's hidden model, and every run failed until the page was loaded again."""
    path = tmp_path / "foreign.png"
    save_png(Image.new("RGB", (8, 8)), Recipe(prompt="a cat", model="local"), path)
    answer = page.openings.open_picture(str(path), page.form.show(Recipe()))
    assert set(answer) == {page.outputs.question, page.outputs.pending, page.outputs.view}
    asked: Any = answer[page.outputs.question]
    assert asked["text"] == (
        "“a cat” is for the model local, which this page does not have. Open it for bundled instead?"
    )


def two_models(page: Page) -> Handlers:
    """The tiny model, and one that cannot be had."""
    failing = BackgroundModel(lambda: Imagen.from_pretrained("no such folder"))
    offered = {"bundled": BackgroundModel(make_tiny_imagen), "deepfloyd-if-m": failing}
    return Handlers(Models("bundled", offered), page.form, page.outputs, "")


def test_choosing_a_model_shows_its_settings_and_its_licence_and_keeps_the_words(page: Page) -> None:
    preset = PRESETS["deepfloyd-if-m"]
    asked = Recipe(prompt="a cat", negative_prompt="rain", seed=7, model=preset.name)
    answer = two_models(page).choose_model(page.form.show(asked))
    shown = page.form.recipe({control: answer[control] for control in page.form.controls.values()})
    assert shown == preset.recipe.updated({"prompt": "a cat", "negative_prompt": "rain", "seed": 7})
    message: Any = answer[page.outputs.view]
    assert message["kind"] == "opened"
    assert preset.licence in message["text"]
    assert preset.licence_url in message["text"]


def test_model_that_cannot_be_had_is_told_and_the_other_one_goes_on_drawing(page: Page) -> None:
    handlers = two_models(page)
    broken = replace(SMALL, model="deepfloyd-if-m")
    *_, note, failed = handlers.draw(page.form.show(broken), visitor())
    assert "non-commercial research" in note["text"]
    assert (failed["kind"], failed["stage"]) == ("failed", None)
    assert "no such folder" in failed["text"]
    *_, finished = handlers.draw(page.form.show(SMALL), visitor())
    assert finished["kind"] == "finished"
    *_, unknown = handlers.draw(page.form.show(replace(SMALL, model="deepfloyd-if-l")), visitor())
    assert unknown["text"] == "model must be one of bundled, deepfloyd-if-m, not deepfloyd-if-l."
    assert unknown["field"] == "model"


def test_neighbours_that_share_a_seed_are_files_of_their_own(page: Page, tiny_imagen: Imagen) -> None:
    """Their files once had one name, and each held the last picture."""
    recipe = replace(SMALL, num_images=3, variation=0.5, variation_seed=9)
    *_, last = page.handlers(lambda: tiny_imagen).draw(page.form.show(recipe), visitor())
    assert len({file["file"]["path"] for file in last["files"]}) == 3
