"""Names of models: every door means the same by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagen_core.__main__ import main
from imagen_core.model_names import INDEX, model_named
from imagen_core.presets import DEEPFLOYD_BASE, LOCAL, PRESETS
from imagen_core.recipe import Recipe
from imagen_core.ui.model import offered


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
    "name", ["", "dall-e", "a/b/c", "/a/b", "a/", "../b", "a/b ", "a/\0", "x" * 9999, "a/" + "b" * 97]
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
