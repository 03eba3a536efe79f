"""What a person reads where a repository cannot be had."""

from __future__ import annotations

import errno
import hashlib
import shutil
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from imagen_core.hub import Hub, _sentence
from imagen_core.model_names import INDEX
from imagen_core.shards import CheckpointError
from tests.deepfloyd_folder import write_model
from tests.hub_server import Answers, everything, served, without_token


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both stages in one folder, as the server gives one folder for every repository."""
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_token(monkeypatch, tmp_path)


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


def test_of_the_cache_only_what_is_wanted_saves_room(model: Path, tmp_path: Path) -> None:
    """Another variant that was there counted as if it were the files to fetch, and hours later the disk was full."""
    content, free = (model / "base" / INDEX).read_bytes(), shutil.disk_usage(tmp_path).free
    answers = Answers(model / "base", extra_size=free + 10**9)
    blobs = tmp_path / "models--a--b" / "blobs"
    blobs.mkdir(parents=True)
    with served(answers) as address:
        for name, is_enough in (("another", False), (hashlib.sha1(content).hexdigest(), True)):
            with (blobs / name).open("wb") as file:
                file.truncate(free + 2 * 10**9)  # takes no room on most disks
            with nullcontext() if is_enough else pytest.raises(CheckpointError, match="GB more and the disk of"):
                Hub(address, tmp_path).fetch("a/b", None, lambda _: (INDEX,))
    assert not [request for request in answers.asked if request.startswith("GET") and "/resolve/" in request]


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
