"""Repositories: the cache first, then the Hub, and one sentence for everything that goes wrong on the way."""

from __future__ import annotations

import errno
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from imagen_core import deepfloyd
from imagen_core.deepfloyd import Options
from imagen_core.deepfloyd_files import wanted_files
from imagen_core.hub import Hub, _sentence
from imagen_core.imagen import Imagen, expected_memory
from imagen_core.model_names import model_named
from imagen_core.shards import CheckpointError
from tests.deepfloyd_folder import tiny_watermark, write_model
from tests.hub_server import COMMIT, Answers, served

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
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))


def everything(sizes: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(sizes)


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


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://no-such-host.invalid"])
def test_without_a_network_there_is_a_sentence_within_three_seconds(address: str, tmp_path: Path) -> None:
    Hub(address, tmp_path).cached("a/b", None)  # imports the library
    started = time.monotonic()
    with pytest.raises(CheckpointError, match=r"a/b is not in the cache and the Hub does not answer: connect"):
        Hub(address, tmp_path).fetch("a/b", None, everything)
    assert time.monotonic() - started < 3


def test_a_hub_that_keeps_silent_is_not_waited_for(model: Path, tmp_path: Path) -> None:
    with served(Answers(model / "base", silent=threading.Event())) as address:
        started = time.monotonic()
        with pytest.raises(CheckpointError, match="the Hub does not answer"):
            Hub(address, tmp_path).fetch("a/b", None, everything)
        assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("token", "refusal", "sentence"),
    [
        (
            None,
            (401, "GatedRepo"),
            "given out after its licence was accepted: accept it on https://huggingface.co/a/b, mak",
        ),
        (None, (401, "RepoNotFound"), "given out after its licence was accepted"),
        (
            "hf_x",
            (403, "GatedRepo"),
            "The licence of a/b is not accepted: accept it on https://huggingface.co/a/b with",
        ),
        ("hf_x", (404, "RepoNotFound"), "There is no repository a/b on the Hub, or your token may not read it"),
        (None, (404, "RevisionNotFound"), "a/b has no revision 'v9': look for the commit"),
        (None, (500, ""), "Fetching a/b was interrupted"),
    ],
)
def test_a_refusal_is_one_sentence_that_tells_what_to_do(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    token: str | None,
    refusal: tuple[int, str],
    sentence: str,
) -> None:
    if token is not None:
        monkeypatch.setenv("HF_TOKEN", token)
    with served(Answers(model / "base", refusal)) as address, pytest.raises(CheckpointError) as told:
        Hub(address, tmp_path).fetch("a/b", "v9", everything)
    assert sentence in str(told.value)
    assert "\n" not in str(told.value)


def test_a_hub_that_lists_files_and_refuses_them_is_told_as_well(model: Path, tmp_path: Path) -> None:
    """So do repositories whose licence must be accepted: what they hold everybody may read."""
    answers = Answers(model / "base", (401, "GatedRepo"), lists=True)
    with served(answers) as address, pytest.raises(CheckpointError, match=r"^a/b is given out after its licence was"):
        Hub(address, tmp_path).fetch("a/b", None, everything)


def test_a_full_disk_is_told_before_anything_is_fetched(model: Path, tmp_path: Path) -> None:
    answers = Answers(model / "base", extra_size=10**15)
    with (
        served(answers) as address,
        pytest.raises(CheckpointError, match=r"needs .* GB more and the disk of .* HF_HOME"),
    ):
        Hub(address, tmp_path).fetch("a/b", None, everything)
    assert all("/api/" in request for request in answers.asked)


def test_a_disk_that_becomes_full_is_told() -> None:
    outer = RuntimeError("writing failed")
    outer.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    in_words = RuntimeError("Task error: File I/O error: No space left on device (os error 28)")  # as hf_xet has it
    for error in (outer, outer.__cause__, in_words):
        assert "The disk became full while a/b was fetched: make room; what has" in _sentence("a/b", None, error)
    assert "was interrupted (writing failed)" in _sentence("a/b", None, RuntimeError("writing failed"))


def test_a_fetch_that_breaks_off_says_that_it_can_go_on_and_does(model: Path, tmp_path: Path) -> None:
    answers = Answers(model / "base", cut={"unet/diffusion_pytorch_model.safetensors"})
    with served(answers) as address:
        with pytest.raises(
            CheckpointError, match=r"was interrupted.*ask for the model again and it goes on from there"
        ):
            Hub(address, tmp_path).fetch("a/b", None, everything)
        answers.cut.clear()
        folder = Hub(address, tmp_path).fetch("a/b", None, everything)
    weights = Path("unet/diffusion_pytorch_model.safetensors")
    assert (folder / weights).read_bytes() == (model / "base" / weights).read_bytes()
