"""Work on a lent accelerator: in a forked process, through pickles, for as long as the recipe needs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import gradio as gr
import pytest

from imagen_core.presets import PRESETS
from imagen_core.recipe import Recipe
from imagen_core.sampling_thread import Attach, Closable
from imagen_core.zero_gpu import MAX_SECONDS, is_lent, lent, seconds
from tests import lending_spaces

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def spaces(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "spaces", lending_spaces)
    yield
    lending_spaces.end()


@dataclass(frozen=True)
class Order:
    recipe: Recipe
    word: str = ""


class Endless:
    """A run that goes on until it is closed."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


def told(order: Order, attach: Attach) -> Iterator[tuple[str, int]]:
    yield order.word, os.getpid()
    if order.word == "fail":
        raise ZeroDivisionError
    if order.word == "wait":
        run = Endless()
        attach(run)
        while not run.closed:
            time.sleep(0.001)
        yield "closed", os.getpid()


def test_without_the_package_this_process_works() -> None:
    assert not is_lent()
    assert list(lent(told)(Order(Recipe(), "hello"), [].append)) == [("hello", os.getpid())]


@pytest.mark.usefixtures("spaces")
def test_with_it_another_process_works_and_serves_the_next_call_too() -> None:
    work, order = lent(told), Order(Recipe(), "hello")
    ((word, pid),) = work(order, [].append)
    assert word == "hello"
    assert pid != os.getpid()
    assert list(work(replace(order, word="again"), [].append)) == [("again", pid)]
    assert lending_spaces.durations == [seconds(order.recipe)] * 2


@pytest.mark.usefixtures("spaces")
def test_what_is_attached_here_ends_the_run_there() -> None:
    runs: list[Closable] = []
    work = lent(told)
    items = work(Order(Recipe(), "wait"), runs.append)
    _, pid = next(items)
    runs[0].close()
    assert list(items) == [("closed", pid)]
    runs[0].close()  # a late wish disturbs nobody
    assert list(work(Order(Recipe(), "next"), runs.append)) == [("next", pid)]


@pytest.mark.usefixtures("spaces")
def test_a_reader_that_leaves_ends_the_run_there() -> None:
    work = lent(told)
    runs: list[Closable] = []
    items = work(Order(Recipe(), "wait"), runs.append)
    _, pid = next(items)
    runs[0].close()
    items.close()  # type: ignore[attr-defined]  # waits for the other process, so without an end this hangs
    assert list(work(Order(Recipe(), "next"), runs.append)) == [("next", pid)]


@pytest.mark.usefixtures("spaces")
def test_of_an_error_only_its_name_comes_back() -> None:
    """Which is why the page's work tells its failures itself."""
    with pytest.raises(gr.Error, match="ZeroDivisionError"):
        list(lent(told)(Order(Recipe(), "fail"), [].append))


def test_the_accelerator_is_asked_for_as_long_as_the_recipe_needs() -> None:
    known = PRESETS["deepfloyd-if-m"].recipe
    assert seconds(Recipe()) < seconds(known) < seconds(replace(known, num_images=3)) <= MAX_SECONDS
    longer = replace(known, base=replace(known.base, spacing="smart185", num_steps=1))
    assert seconds(longer) > seconds(known)
    assert seconds(replace(known, num_images=16)) == MAX_SECONDS


def test_the_package_is_imported_before_torch_and_gradio(tmp_path: Path) -> None:
    (tmp_path / "spaces.py").write_text(
        "import sys\nprint('spaces', sorted({'torch', 'gradio', 'diffusers'} & set(sys.modules)))\n"
    )
    told = subprocess.run(
        [sys.executable, "app.py", "--model", "no-such-model"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stdout == "spaces []\n"
