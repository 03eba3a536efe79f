"""The benchmark: the names and units that its JSON promises, measured on a tiny real model."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from imagen_core import benchmark
from imagen_core.figures import write_figures
from imagen_core.imagen import Imagen
from imagen_core.recipe import STAGES
from imagen_core.visitor import new_session, press_generate, visitor
from tests.ui_page import GRADIO_WARNING, in_a_loop, recorded, served

pytestmark = GRADIO_WARNING


def test_a_pair_draws_the_same_recipe_for_a_visitor_and_without_a_consumer() -> None:
    imagen = recorded()
    with served(lambda: imagen) as address, visitor(address, new_session()) as press:
        pair = benchmark.draw_pair(imagen, press, 0)
    visited, alone = imagen.recipes
    assert visited == replace(alone, seed=visited.seed)
    assert visited.seed != alone.seed  # neither may find the other's stages kept: it would time nothing
    assert pair.steps == {stage: alone.stage(stage).num_steps for stage in STAGES}
    assert pair.stages.keys() == pair.steps.keys()
    assert 0 < pair.first_preview < pair.streamed < pair.picture
    assert sum(pair.stages.values()) <= pair.silent


def test_a_page_that_refuses_is_no_measurement() -> None:
    with served(recorded) as address:
        with pytest.raises(RuntimeError, match="'failed'"):
            list(press_generate(address, {"prompt": "a" * 1001}))
        with visitor(address, new_session()) as press, pytest.raises(RuntimeError, match="'failed'"):
            press({"prompt": "a" * 1001})


def test_the_figures_have_the_names_that_the_json_promises(tiny_imagen: Imagen) -> None:
    figures = in_a_loop(lambda: dict(benchmark.measure_pictures(tiny_imagen, runs=1)))
    assert figures.keys() == {"encode_prompt_ms", "first_preview_s", "picture_s", "streaming_share", "stages"}
    assert figures["stages"].keys() == {"base", "sr256", "sr1024"}
    assert all(stage.keys() == {"ms_per_step", "steps"} for stage in figures["stages"].values())
    json.dumps(figures)


def test_the_machine_is_told(tiny_imagen: Imagen) -> None:
    machine = benchmark.machine(tiny_imagen)
    assert machine["cores"] >= 1
    assert machine["device"] == "cpu"


NOWHERE = ("--json=no/such/folder.json", "--json=tests")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *(("benchmark", wrong) for wrong in ("--runs=0", "--runs=-3", "--runs=x", *NOWHERE)),
        *(("wall_benchmark", wrong) for wrong in ("--pairs=0", *NOWHERE)),
        *(("training.evaluate", wrong) for wrong in NOWHERE),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_measured(name: str, wrong: str) -> None:
    """A file that cannot be written was found out after minutes, and the figures were lost."""
    command = [sys.executable, "-m", f"imagen_core.{name}", wrong]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_figures_are_a_file_of_json(tmp_path: Path) -> None:
    write_figures({"a_s": 1.5, "parts": {"b": 2}}, tmp_path / "figures.json")
    assert json.loads((tmp_path / "figures.json").read_text()) == {"a_s": 1.5, "parts": {"b": 2}}
