"""The benchmark: the names and units that its JSON promises, measured on a tiny real model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from imagen_core import benchmark
from imagen_core.imagen import Imagen


def test_a_pair_draws_the_same_recipe_with_and_without_a_consumer(tiny_imagen: Imagen) -> None:
    recipe = tiny_imagen.recipe("a cat").updated({"base": {"num_steps": 3}, "sr256": {"num_steps": 2}})
    pair = benchmark.draw_pair(tiny_imagen, recipe, 0)
    assert pair.steps == {"base": 3, "sr256": 2, "sr1024": recipe.sr1024.num_steps}
    assert pair.stages.keys() == pair.steps.keys()
    assert 0 < pair.first_preview < pair.streamed
    assert sum(pair.stages.values()) <= pair.silent
    # Neither half may find the other's stages kept: their times would be those of nothing.
    assert all(seconds > 0.001 for seconds in pair.stages.values())


def test_the_figures_have_the_names_that_the_json_promises(tiny_imagen: Imagen) -> None:
    figures = dict(benchmark.measure_pictures(tiny_imagen, runs=1))
    assert figures.keys() == {"encode_prompt_ms", "first_preview_s", "picture_s", "streaming_share", "stages"}
    assert figures["stages"].keys() == {"base", "sr256", "sr1024"}
    assert all(stage.keys() == {"ms_per_step", "steps"} for stage in figures["stages"].values())
    json.dumps(figures)


def test_the_machine_is_told(tiny_imagen: Imagen) -> None:
    machine = benchmark.machine(tiny_imagen)
    assert machine["cores"] >= 1
    assert machine["device"] == "cpu"


@pytest.mark.parametrize("runs", ["0", "-3", "x"])
def test_a_number_of_runs_below_one_is_refused(runs: str) -> None:
    command = [sys.executable, "-m", "imagen_core.benchmark", "--runs", runs]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
