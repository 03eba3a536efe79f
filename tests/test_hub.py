"""Repositories: the cache first, then the Hub, and what is fetched."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from imagen_core import deepfloyd
from imagen_core.deepfloyd import Options
from imagen_core.deepfloyd_files import wanted_files
from imagen_core.hub import Hub
from imagen_core.imagen import Imagen, expected_memory
from imagen_core.model_names import model_named
from imagen_core.shards import CheckpointError
from tests.deepfloyd_folder import tiny_watermark, write_model
from tests.hub_server import COMMIT, Answers, everything, served, without_token

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both stages in one folder, as the server gives one folder for every repository."""
    folder = write_model(tmp_path_factory.mktemp("model"))
    (folder / "base" / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"never fetched")
    (folder / "base" / "unet" / "notes.py").write_text("never fetched")
    return folder


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_token(monkeypatch, tmp_path)


def stage(model: Path, cache: Path, repository: str = "a/b") -> dict[str, Path]:
    """The first stage through a Hub of its own."""
    with served(Answers(model / "base")) as address:
        hub = Hub(address, cache)
        return {"base": hub.fetch(repository, None, lambda sizes: wanted_files(sizes, "base", torch.float32))}


def test_what_a_stage_needs_is_fetched_once_and_then_found_without_a_network(model: Path, tmp_path: Path) -> None:
    folder = stage(model, tmp_path)["base"]
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert "unet/diffusion_pytorch_model.safetensors" in names
    assert {"tokenizer/tokenizer.json", "safety_checker/config.json", "model_index.json"} <= names
    assert not any(name.endswith((".bin", ".py")) for name in names)
    assert Hub("http://127.0.0.1:9", tmp_path).cached("a/b", None) == folder
    assert Hub("http://127.0.0.1:9", tmp_path).cached("a/c", None) is None
    deepfloyd.load({"base": folder}, deepfloyd.memory_plan({"base": folder}, CPU, Options()), CPU, Options())


def test_a_preset_is_put_together_from_the_cache_alone(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("base", "sr256"):
        repository = f"DeepFloyd/IF-{'I' if name == 'base' else 'II'}-M-v1.0"
        with served(Answers(model / name)) as address:
            Hub(address, tmp_path).fetch(repository, None, everything)
    options = Options(hub=Hub("http://127.0.0.1:9", tmp_path))
    for name in ("deepfloyd-if-m", "DeepFloyd/IF-I-M-v1.0"):
        imagen = Imagen.from_pretrained(name, "cpu", options)
        told = capsys.readouterr().err
        assert "Licence of DeepFloyd IF M: DeepFloyd IF License (non-commercial research), https://" in told
        assert told.index("Licence") < told.index("Memory on cpu")
        assert (imagen.name, set(imagen.cascade.stages)) == ("deepfloyd-if-m", {"base", "sr256", "sr1024"})


def test_a_repository_of_pickles_is_refused_before_anything_is_fetched(model: Path, tmp_path: Path) -> None:
    answers = Answers(tmp_path / "pickles")
    shutil.copytree(model / "base", answers.folder)
    (answers.folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with (
        served(answers) as address,
        pytest.raises(
            CheckpointError, match=r"^a/b: unet/diffusion_pytorch_model\.bin is a pickle, which can run code"
        ),
    ):
        Hub(address, tmp_path).fetch("a/b", None, lambda sizes: wanted_files(sizes, "base", torch.float32))
    assert all("/api/" in request for request in answers.asked)


@pytest.mark.parametrize("missing", ["scheduler/scheduler_config.json", "tokenizer/tokenizer.json", "unet/config.json"])
def test_what_is_missing_in_the_cache_is_asked_of_the_hub(model: Path, tmp_path: Path, missing: str) -> None:
    folder = stage(model, tmp_path, "DeepFloyd/IF-I-M-v1.0")["base"]
    (folder / missing).unlink()
    options = Options(hub=Hub("http://127.0.0.1:9", tmp_path))
    known = model_named("deepfloyd-if-m")
    assert known is not None
    with pytest.raises(
        CheckpointError, match=r"DeepFloyd/IF-I-M-v1\.0 is not in the cache and the Hub does not answer"
    ):
        deepfloyd.folders(known, CPU, options)


def test_any_repository_with_a_first_stage_draws(model: Path, tmp_path: Path) -> None:
    told: list[str] = []
    with served(Answers(model / "base")) as address:
        options = Options(hub=Hub(address, tmp_path))
        assert expected_memory("someone/birds", "cpu", options) is None  # nobody has told it
        imagen = Imagen.from_pretrained("someone/birds", "cpu", options, told.append)
    assert told[0].startswith("Memory on cpu: T5 0.0 GB in ")
    assert (imagen.name, imagen.recipe().last_stage) == ("local", "base")
    quick = imagen.recipe("a red apple").updated({"base": {"spacing": "trailing", "num_steps": 2}})
    assert imagen.generate(quick)[0].size == (64, 64)
    plan = expected_memory("someone/birds", "cpu", options)  # in the cache by now
    assert plan is not None
    assert str(plan).partition(" needed")[0] == told[0].partition(" needed")[0]


def test_a_repository_may_lack_checker_and_watermark_where_its_index_says_so(model: Path, tmp_path: Path) -> None:
    answers = Answers(shutil.copytree(model / "base", tmp_path / "plain"))
    for name in ("safety_checker", "feature_extractor"):
        shutil.rmtree(answers.folder / name)
    with served(answers) as address:
        imagen = Imagen.from_pretrained("someone/birds", "cpu", Options(hub=Hub(address, tmp_path)))
    stage = imagen.cascade.stages["base"]
    assert (stage.refused, stage.marked) == (None, None)
    index = answers.folder / "model_index.json"
    index.write_text(index.read_text().replace('"requires_safety_checker": false', '"requires_safety_checker": true'))
    with served(answers) as address, pytest.raises(CheckpointError, match="no weights of safety_checker"):
        Imagen.from_pretrained("someone/cats", "cpu", Options(hub=Hub(address, tmp_path)))


def test_a_first_stage_alone_is_fetched_with_its_watermark(model: Path, tmp_path: Path) -> None:
    answers = Answers(shutil.copytree(model / "base", tmp_path / "marked"))
    tiny_watermark(answers.folder)
    with served(answers) as address:
        imagen = Imagen.from_pretrained("someone/birds", "cpu", Options(hub=Hub(address, tmp_path)))
    marked = imagen.cascade.stages["base"].marked
    assert marked is not None
    corner = marked(torch.zeros(1, 3, 64, 64))[0, :, 63, 63]  # as diffusers marks a picture of 64 pixels
    assert corner.tolist() == [1.0, -1.0, -1.0]


def test_a_commit_is_fetched_and_found_by_its_name(model: Path, tmp_path: Path) -> None:
    answers = Answers(model / "base")
    options = Options({"someone/birds": COMMIT}, hub=Hub("http://127.0.0.1:9", tmp_path))
    with served(answers) as address:
        folder = Hub(address, tmp_path).fetch("someone/birds", COMMIT, everything)
    assert any(request.startswith(f"GET /api/models/someone/birds/revision/{COMMIT}") for request in answers.asked)
    assert folder.name == COMMIT
    assert Imagen.from_pretrained("someone/birds", "cpu", options).recipe().last_stage == "base"
    other = replace(options, revisions={"someone/birds": "f" * 40})
    with pytest.raises(CheckpointError, match="someone/birds is not in the cache and the Hub does not answer"):
        Imagen.from_pretrained("someone/birds", "cpu", other)


def test_a_folder_of_this_name_comes_before_the_hub(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "DeepFloyd").mkdir()
    (tmp_path / "DeepFloyd" / "IF-I-M-v1.0").symlink_to(model)
    monkeypatch.chdir(tmp_path)
    imagen = Imagen.from_pretrained("DeepFloyd/IF-I-M-v1.0", "cpu", Options(hub=Hub("http://127.0.0.1:9", tmp_path)))
    assert imagen.name == "local"
