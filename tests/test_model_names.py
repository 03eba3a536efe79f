"""Names of models: every door means the same by them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from imagen_core.__main__ import main
from imagen_core.imagen import Imagen
from imagen_core.model_names import INDEX, SCHEDULER, model_named
from imagen_core.presets import DEEPFLOYD_BASE, LOCAL, PRESETS
from imagen_core.recipe import Recipe
from imagen_core.ui.flags import read_flags
from imagen_core.ui.model import offered
from tests.deepfloyd_folder import base_pipeline, write_folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stage(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / INDEX).write_text("{}")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("letter", ["M", "L", "XL"])
def test_a_repository_is_the_preset_that_it_is_the_first_stage_of(
    letter: str, capsys: pytest.CaptureFixture[str]
) -> None:
    preset = PRESETS[f"deepfloyd-if-{letter.lower()}"]
    repository = f"DeepFloyd/IF-I-{letter}-v1.0"
    known = model_named(repository)
    assert known is not None
    assert known == model_named(preset.name)
    assert (known.source, known.recipe, known.preset) == (preset.name, preset.recipe, preset)
    assert known.is_deepfloyd
    assert offered(known).default == preset.name
    assert next(iter(offered(known).offered)) == preset.name
    assert main(["x", "--model", repository, "--print-recipe"]) == 0
    assert Recipe.from_json(capsys.readouterr().out) == preset.recipe.updated({"prompt": "x"})


def test_a_preset_comes_before_a_folder_and_a_folder_before_a_repository(here: Path) -> None:
    (here / "bundled").mkdir()
    (here / "DeepFloyd" / "IF-I-M-v1.0").mkdir(parents=True)
    first, second = model_named("bundled"), model_named("DeepFloyd/IF-I-M-v1.0")
    assert first is not None
    assert second is not None
    assert first.preset is PRESETS["bundled"]
    assert (second.preset, second.recipe) == (None, Recipe(model=LOCAL))


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "name",
    [
        "",
        "dall-e",
        "a/b/c",
        "/a/b",
        "a/",
        "../b",
        "a/b ",
        "a/\0",
        "x" * 9999,
        "a/" + "b" * 97,
        "a/b--c",
        "a/b-",
        "a/b.",
        "a-/b",
        "a/.b",
        "a/-b",
        "a/b..c",
        "a/b.git",
    ],
)
def test_what_is_none_is_none(name: str) -> None:
    assert model_named(name) is None


def test_a_folder_of_deep_floyd_s_kind_starts_with_settings_that_suit_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage(here / "two" / "base")
    stage(here / "two" / "sr256")
    stage(here / "one")
    (here / "bundled-kind").mkdir()
    two, one, other = (model_named(name) for name in ("two", "one", "bundled-kind"))
    assert two is not None
    assert one is not None
    assert other is not None
    assert (two.recipe.base, two.recipe.last_stage, two.recipe.model) == (DEEPFLOYD_BASE, "sr1024", LOCAL)
    assert dict(two.folders) == {"base": Path("two/base"), "sr256": Path("two/sr256")}
    assert (one.recipe.last_stage, dict(one.folders)) == ("base", {"base": Path("one")})
    assert (other.recipe, other.folders, other.is_deepfloyd) == (Recipe(model=LOCAL), (), False)
    assert main(["x", "--model", "two", "--print-recipe"]) == 0
    assert Recipe.from_json(capsys.readouterr().out) == two.recipe.updated({"prompt": "x"})
    assert main(["--recipe", "prompt=y&model=local&base.num_steps=3", "--model", "two", "--print-recipe"]) == 0
    assert Recipe.from_json(capsys.readouterr().out).base == Recipe().base.updated("base", {"num_steps": 3})
    assert offered(two).default == LOCAL


def test_a_folder_starts_with_the_percentile_that_its_schedulers_have_at_every_door(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path / "base", base_pipeline())
    path = tmp_path / "base" / SCHEDULER
    usual = json.loads(path.read_text())
    for values, percentile in (
        ({}, 95.0),
        ({"dynamic_thresholding_ratio": 0.975}, 97.5),
        ({"thresholding": False, "dynamic_thresholding_ratio": 0.975}, 95.0),  # it clips, with any percentile
        ({"dynamic_thresholding_ratio": 0.3}, 95.0),  # none that a recipe may hold
        ({"dynamic_thresholding_ratio": "0.9"}, 95.0),
    ):
        path.write_text(json.dumps(usual | values))
        recipe = read_flags(["--model", str(tmp_path)]).model.recipe
        assert recipe.base == replace(DEEPFLOYD_BASE, percentile=percentile)
        assert main(["", "--model", str(tmp_path), "--print-recipe"]) == 0
        assert Recipe.from_json(capsys.readouterr().out) == recipe
    path.write_text(json.dumps({name: value for name, value in usual.items() if name != "dynamic_thresholding_ratio"}))
    imagen = Imagen.from_pretrained(str(tmp_path), "cpu")
    assert imagen.recipe().base.percentile == 99.5  # diffusers' own
    recipe = imagen.recipe("x").updated({"base": {"num_steps": 1, "spacing": "trailing"}})
    assert imagen.generate(recipe)[0].size == (64, 64)


def test_each_stage_has_the_percentile_of_its_own_scheduler(tmp_path: Path) -> None:
    for name, ratio in (("base", 0.9), ("sr256", 0.99)):
        stage(tmp_path / name)
        (tmp_path / name / SCHEDULER).parent.mkdir()
        (tmp_path / name / SCHEDULER).write_text(
            json.dumps({"thresholding": True, "dynamic_thresholding_ratio": ratio})
        )
    known = model_named(str(tmp_path))
    assert known is not None
    assert (known.recipe.base.percentile, known.recipe.sr256.percentile) == (90.0, 99.0)
    for text in ("{", "[]", '"thresholding"', "[" * 100_000):  # loading tells what is wrong with it
        (tmp_path / "base" / SCHEDULER).write_text(text)
        damaged = model_named(str(tmp_path))
        assert damaged is not None
        assert (damaged.recipe.base.percentile, damaged.recipe.sr256.percentile) == (95.0, 99.0)


@pytest.mark.usefixtures("here")
def test_any_other_repository_is_a_first_stage_alone(capsys: pytest.CaptureFixture[str]) -> None:
    known = model_named("someone/if-of-birds")
    assert known is not None
    assert known.repositories == (("base", "someone/if-of-birds"),)
    assert (known.preset, known.is_deepfloyd) == (None, True)
    assert (known.recipe.model, known.recipe.last_stage, known.recipe.base) == (LOCAL, "base", DEEPFLOYD_BASE)
    assert offered(known).default == LOCAL
    assert main(["x", "--model", "someone/if-of-birds", "--print-recipe"]) == 0
    assert Recipe.from_json(capsys.readouterr().out) == known.recipe.updated({"prompt": "x"})


def test_a_second_stage_alone_is_no_model_of_deep_floyd(here: Path) -> None:
    stage(here / "half" / "sr256")
    known = model_named("half")
    assert known is not None
    assert not known.is_deepfloyd
