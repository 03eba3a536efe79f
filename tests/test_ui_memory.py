"""What a model takes of the memory is on the page before it is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from imagen_core import deepfloyd
from imagen_core import imagen as front_door
from imagen_core.deepfloyd import Options, number_format
from imagen_core.hub import Hub
from imagen_core.imagen import Imagen
from imagen_core.memory_plan import Part, num_weights
from imagen_core.model_names import model_named
from imagen_core.presets import PRESETS
from imagen_core.recipe import Recipe
from imagen_core.ui.handlers import Handlers
from imagen_core.ui.model import BackgroundModel, Models, expected_memory, offered
from tests.conftest import make_tiny_imagen
from tests.deepfloyd_folder import write_model
from tests.test_ui_handlers import Page, visitor
from tests.ui_page import in_a_loop

QUICK = {"num_steps": 2, "spacing": "trailing"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def page() -> Page:
    return in_a_loop(Page)


def test_what_is_expected_of_a_folder_is_what_is_told_when_it_loads(folder: Path) -> None:
    told: list[str] = []
    Imagen.from_pretrained(str(folder), "cpu", tell=told.append)
    plan = front_door.expected_memory(str(folder), "cpu")
    assert plan is not None
    assert [part.name for part in plan.parts] == ["T5", "base", "sr256", "safety checker"]
    assert {part.number_format for part in plan.parts[:3]} == {str(number_format(torch.device("cpu")))[6:]}
    assert not plan.published
    free = f"{(plan.free_bytes or 0) / 1e9:.1f} GB free"  # a little more or less from one moment to the next
    assert [text.partition(" needed, ")[0] for text in told] == [str(plan).partition(" needed, ")[0]]
    assert free in str(plan)


@pytest.mark.parametrize("name", ["deepfloyd-if-m", "deepfloyd-if-xl", "DeepFloyd/IF-I-L-v1.0"])
def test_a_model_that_is_not_here_is_told_by_its_published_numbers(name: str, tmp_path: Path) -> None:
    model = model_named(name)
    assert model is not None
    assert model.preset is not None
    plan = front_door.expected_memory(name, "cpu", Options(hub=Hub("http://127.0.0.1:9", tmp_path)))
    assert plan is not None
    assert plan.published
    size = number_format(torch.device("cpu")).itemsize
    assert {part.name: part.nbytes for part in plan.parts} == {
        network: number * (4 if network in ("safety checker", "decoder") else size)
        for network, number in model.preset.parameters.items()
    }
    assert model.preset.size_mb == sum(2 * number // 10**6 for number in model.preset.parameters.values())
    assert "about" in str(plan)


def test_the_safety_checker_is_in_the_plan_of_the_processor_alone(tmp_path: Path) -> None:
    """It is loaded there, in float32: 1.2 GB of the published one, which the plan left out."""
    cpu, elsewhere = torch.device("cpu"), torch.device("meta")
    options = Options(hub=Hub("http://127.0.0.1:9", tmp_path))
    published, folder = model_named("deepfloyd-if-m"), tmp_path / "model"
    write_model(folder)
    for model, nbytes in (
        (published, 1_200_000_000),
        (model_named(str(folder)), 4 * num_weights((folder / "base" / "safety_checker").glob("*.safetensors"))),
    ):
        assert model is not None
        plan = deepfloyd.expected_memory(model, cpu, options)
        assert plan is not None
        assert plan.parts[3:] == (Part("safety checker", nbytes, "float32"),)
        plan = deepfloyd.expected_memory(model, elsewhere, options)
        assert plan is not None
        assert [part.name for part in plan.parts] == ["T5", "base", "sr256"]


def test_a_small_model_has_nothing_to_tell(tmp_path: Path) -> None:
    assert front_door.expected_memory("bundled") is None
    assert front_door.expected_memory(str(tmp_path)) is None
    assert expected_memory("bundled") == ""
    assert BackgroundModel(make_tiny_imagen).memory() == ""


def test_a_damaged_folder_is_told_instead(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text("{}")
    assert "There are no weights of text_encoder" in expected_memory(str(tmp_path))


def test_choosing_a_model_tells_its_memory(page: Page) -> None:
    large = BackgroundModel(make_tiny_imagen, lambda: "Memory on cuda: much.")
    models = Models("bundled", {"bundled": BackgroundModel(make_tiny_imagen), "deepfloyd-if-m": large})
    handlers = Handlers(models, page.form, page.outputs, "")
    chosen = page.form.show(PRESETS["deepfloyd-if-m"].recipe)
    at_once: Any = handlers.choose_model(chosen)
    terms = at_once[page.outputs.view]["text"]
    assert PRESETS["deepfloyd-if-m"].licence_url in terms
    later: Any = handlers.tell_memory(chosen)
    assert later[page.outputs.view]["text"] == f"{terms} Memory on cuda: much."
    assert later.keys() == {page.outputs.view}  # what was typed meanwhile stays
    assert handlers.tell_memory(page.form.show(Recipe())) == {}


def test_while_a_model_loads_the_note_tells_its_memory(page: Page, folder: Path) -> None:
    start = model_named(str(folder))
    assert start is not None
    models = offered(start)
    handlers = Handlers(models, page.form, page.outputs, "")
    assert "Memory on cpu: T5 0.0 GB in " in models.first.memory() or torch.cuda.is_available()
    recipe = start.recipe.updated({"prompt": "a red apple", "last_stage": "base", "base": QUICK})
    told = list(handlers.draw(page.form.show(recipe), visitor()))
    notes = [message["text"] for message in told if message["kind"] == "note"]
    assert notes[0] == "Loading the model: only the first picture waits for it."
    assert notes[1].startswith(f"{notes[0]} Memory on ")
    assert [message["kind"] for message in told[:4]] == ["begun", "note", "note", "stage"]
    assert told[-1]["kind"] == "finished"
    again = list(handlers.draw(page.form.show(recipe), visitor()))
    assert "note" not in {message["kind"] for message in again}


def test_who_waits_for_a_model_is_told_of_its_failure_and_it_is_tried_once() -> None:
    tries: list[int] = []

    def load() -> Imagen:
        tries.append(1)
        model.tell("so much")
        raise MemoryError("no more")

    model = BackgroundModel(load)
    with pytest.raises(MemoryError, match="no more"):
        list(model.load())
    assert len(tries) == 1
    assert isinstance(model.failure, MemoryError)
