"""Fixtures around a small model in DeepFloyd IF's layout."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.deepfloyd_folder import write_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    """A model that a test may damage."""
    return shutil.copytree(model, tmp_path / "model")
