"""The page where its accelerator is lent: what draws runs in a forked process, and a visitor sees no difference."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image
from torch import Tensor

from imagen_core.denoiser import Denoiser
from imagen_core.imagen import Imagen
from imagen_core.metadata import read_recipe
from imagen_core.recipe import Recipe
from imagen_core.run import Run
from imagen_core.sampler import Step
from imagen_core.solver_state import KeptStates
from imagen_core.trajectory import Leg
from imagen_core.zero_gpu import seconds
from tests import lending_spaces
from tests.conftest import make_tiny_imagen
from tests.test_ui_handlers import Page, visitor
from tests.ui_page import GRADIO_WARNING, in_a_loop, served

FAST = {"base": {"num_steps": 4}, "sr256": {"num_steps": 2}, "sr1024": {"num_steps": 1}}
RECIPE = Recipe(prompt="a red apple", seed=7).updated(FAST)
ENDLESS = Recipe(prompt="a red apple", last_stage="base").updated({"base": {"num_steps": 250}})
Told = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def spaces(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "spaces", lending_spaces)
    monkeypatch.setattr("imagen_core.zero_gpu._START", 200.0)  # this machine may be busy, and draws on a processor
    yield
    lending_spaces.end()


@pytest.fixture(scope="module")
def page() -> Page:
    return in_a_loop(Page)


class Elsewhere(Imagen):
    """A tiny model that must not draw in the process where it was loaded."""

    def __init__(self) -> None:
        tiny = make_tiny_imagen()
        super().__init__(tiny.cascade, Recipe(), tiny.vocabulary)
        self.home = os.getpid()

    def stream(self, recipe: Recipe, attention: bool = False, anew: bool = False) -> Run:
        assert os.getpid() != self.home
        return super().stream(recipe, attention, anew)


class Slow(Elsewhere):
    """One that waits a minute behind the first step of `ENDLESS`, so that there is time to stop it."""

    def __init__(self) -> None:
        super().__init__()
        steps = self.cascade.steps

        def slow(planned: Sequence[Leg], before: Tensor | None, denoiser: Denoiser, kept: KeptStates) -> Iterator[Step]:
            for step in steps(planned, before, denoiser, kept):
                yield step
                end = time.monotonic() + 60
                while step.num_steps > 100 and step.index == 0 and time.monotonic() < end:
                    assert denoiser.between_blocks is not None
                    denoiser.between_blocks()  # ends a run that was stopped
                    time.sleep(0.01)

        self.cascade.steps = slow  # type: ignore[method-assign]


def drawn(page: Page, load: Callable[[], Imagen], recipe: Recipe) -> tuple[Told, list[bytes], list[Recipe]]:
    """All messages, and the finished pictures with their recipes."""
    told, pixels, recipes = [], [], []
    for message in page.handlers(load).draw(page.form.show(recipe), visitor()):
        told.append(message)
        for file in message.get("files", ()):
            path = Path(file["file"]["path"])
            with Image.open(path) as image:
                pixels.append(image.tobytes())
            recipes.append(read_recipe(path))
    return told, pixels, recipes


def test_a_visitor_is_told_the_same_and_gets_the_same_pictures(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagen_core.ui.messages.INTERVAL", 0.0)  # no step is left out, however quick
    recipe = RECIPE.updated({"num_images": 2})
    there, pictures, recipes = drawn(page, Elsewhere, recipe)
    assert lending_spaces.durations == [seconds(recipe)]
    monkeypatch.delitem(sys.modules, "spaces")
    here, same_pictures, _ = drawn(page, make_tiny_imagen, recipe)
    assert recipes == [recipe.for_image(0), recipe.for_image(1)]
    assert pictures == same_pictures
    kinds = [(message["kind"], message.get("stage"), message.get("step")) for message in there]
    assert kinds == [(message["kind"], message.get("stage"), message.get("step")) for message in here]
    assert [message.get("x_0") for message in there] == [message.get("x_0") for message in here]
    assert len({message["run"] for message in there}) == 1
    assert len({message["number"] for message in there}) == len(there)


def test_few_previews_leave_the_other_process(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagen_core.ui.messages.INTERVAL", 3600.0)
    told, _, _ = drawn(page, Elsewhere, RECIPE.updated({"base": {"num_steps": 30}, "last_stage": "base"}))
    assert [message["step"] for message in told if message["kind"] == "step"] == [1, 30]
    between = [step["step"] for message in told if message["kind"] == "step" for step in message["between"]]
    assert between == list(range(2, 30))


def test_stop_ends_the_run_in_the_other_process(page: Page) -> None:
    handlers = page.handlers(Slow)
    run = handlers.draw(page.form.show(ENDLESS), visitor("me"))
    while next(run)["kind"] != "step":
        pass
    threading.Thread(target=handlers.stop, args=[visitor("me")]).start()
    *_, last = run
    assert last["kind"] == "stopped"
    again = handlers.draw(page.form.show(RECIPE.updated({"last_stage": "base"})), visitor("me"))
    assert [message["kind"] for message in again][-1] == "finished"
    assert len(lending_spaces.processes) == 1  # the first process is free again


def test_a_visitor_who_leaves_frees_the_other_process(page: Page) -> None:
    handlers = page.handlers(Slow)
    run = handlers.draw(page.form.show(ENDLESS), visitor("me"))
    while next(run)["kind"] != "step":
        pass
    started = time.monotonic()
    run.close()  # type: ignore[attr-defined]  # this waits for that process to notice
    assert time.monotonic() - started < 30  # the second step begins after a minute


def test_a_stage_that_fails_there_is_a_sentence_here(page: Page) -> None:
    def broken() -> Imagen:
        imagen = Elsewhere()
        for parameter in imagen.cascade.stages["base"].unet.parameters():
            parameter.data.fill_(float("nan"))
        return imagen

    told, _, _ = drawn(page, broken, RECIPE)
    assert (told[-1]["kind"], told[-1]["stage"]) == ("failed", "base")
    assert told[-1]["text"].startswith("base: step 1 of 4: the prediction at timestep")
    assert told[-1]["run"] == told[0]["run"]


def test_a_run_that_is_cut_off_is_told(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagen_core.zero_gpu.MAX_SECONDS", 1)
    told, _, _ = drawn(page, Slow, ENDLESS)
    assert told[-1]["kind"] == "failed"
    assert told[-1]["text"] == "The accelerator of this Space did not draw it: GPU task aborted"


def test_an_accelerator_that_is_not_to_be_had_is_told_without_html(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(order: object, flag: str) -> Iterator[object]:
        raise gr.Error('No GPU was available. <a href="https://example.org">Create a free account</a> for more.')
        yield

    monkeypatch.setattr(lending_spaces, "GPU", lambda duration: lambda work: refuse)
    told, _, _ = drawn(page, Elsewhere, RECIPE)
    assert told[-1]["text"] == (
        "The accelerator of this Space did not draw it: No GPU was available. Create a free account for more."
    )


@GRADIO_WARNING
def test_over_http_a_program_gets_its_picture_and_its_errors(tmp_path: Path) -> None:
    imagen = Elsewhere()
    with served(lambda: imagen) as address:
        client = Client(address, verbose=False, download_files=tmp_path)
        *events, (path, values, last) = list(client.submit("a red apple", 3.0, 4, 7, "", api_name="/generate"))
        assert [event["kind"] for *_, event in events][:2] == ["stage", "step"]
        assert (last["kind"], last["files"]) == ("finished", [])
        assert read_recipe(Path(path)) == Recipe.from_dict(values)
        with Image.open(path) as image:
            assert image.size == (1024, 1024)
        with pytest.raises(AppError, match=r"base\.num_steps must be a whole number"):
            client.predict("a", 4, 0, 0, "", api_name="/generate")
    assert len(lending_spaces.processes) == 1
