"""The training's command line: how a budget is shared out, what an interrupted plan goes on with, what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from imagen_core.training.__main__ import main, plan, start

ALL = ["base", "sr256", "sr1024"]


def test_the_time_of_all_stages_is_shared_seven_to_two_to_one(tmp_path: Path) -> None:
    path = tmp_path / "training" / "plan.json"
    assert dict(plan(ALL, 200, path)) == pytest.approx({"base": 140, "sr256": 40, "sr1024": 20})
    assert plan(["sr256"], 30, path) == [("sr256", 30)]


def test_an_interrupted_plan_goes_on_with_what_is_left(tmp_path: Path) -> None:
    """Base had begun, so its budget is in its own state; the others have theirs still to get."""
    path = tmp_path / "plan.json"
    assert plan(ALL, None, path) == [("base", None), ("sr256", None), ("sr1024", None)]
    plan(ALL, 100, path)
    start("base", path)
    assert plan(ALL, None, path) == [("base", None), ("sr256", pytest.approx(20)), ("sr1024", pytest.approx(10))]
    start("sr256", path)
    start("sr1024", path)
    assert plan(ALL, None, path) == [("base", None), ("sr256", None), ("sr1024", None)]


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan")])
def test_a_budget_must_be_above_zero(tmp_path: Path, minutes: float) -> None:
    with pytest.raises(ValueError, match=r"--minutes is (0|-1|nan), it must be above 0"):
        plan(ALL, minutes, tmp_path / "plan.json")
    assert not (tmp_path / "plan.json").exists()


def test_what_cannot_be_trained_ends_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without npm and with an empty cache there are no sprites; nothing is written to the model folder."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", ["training", "base", "--minutes", "1", "--output", str(tmp_path / "out")])
    assert main() == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("npm, which fetches @iconify-json/noto, cannot be started")
    assert said.err.count("\n") == 1
    assert not (tmp_path / "out").exists()
