"""The loss curve: what an interrupted run repeats comes once."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from imagen_core.training.curve import joined, main, read, thinned


def test_what_was_repeated_after_an_interruption_comes_once(tmp_path: Path) -> None:
    log = tmp_path / "base.jsonl"
    rows = [(32, 0.9), (64, 0.8), (96, 0.7), (64, 0.75), (96, 0.65), (128, 0.6)]
    log.write_text("".join(json.dumps({"images": images, "loss": loss}) + "\n" for images, loss in rows))
    assert read(log) == [(32, 0.9), (64, 0.75), (96, 0.65), (128, 0.6)]


def test_points_that_are_kept_are_apart_and_end_where_the_run_ended() -> None:
    points = [(32 * n, 1 / n) for n in range(1, 100)]
    kept = thinned(points, 320)
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]
    assert all(after[0] - before[0] >= 320 for before, after in pairwise(kept[:-1]))
    assert thinned(points[:1], 320) == points[:1]
    assert thinned([], 320) == []


def test_a_later_log_goes_on_from_the_points_that_were_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    kept, log = tmp_path / "loss.json", tmp_path / "base.jsonl"
    kept.write_text(json.dumps({"base": [[48, 0.9], [4800, 0.5], [9600, 0.4]]}))
    log.write_text("".join(json.dumps({"images": n, "loss": 0.3}) + "\n" for n in (4848, 9648, 14448)))
    words = ["curve", "--logs", str(tmp_path), "--output", str(tmp_path / "loss.png"), "--kept", str(kept)]
    monkeypatch.setattr("sys.argv", words)
    for _ in range(2):  # the same log again adds nothing
        main()
        points = [[48, 0.9], [4800, 0.5], [9648, 0.3], [14448, 0.3]]  # 4848 is too near to 4800
        assert json.loads(kept.read_text()) == {"base": points}
    assert joined([(1, 0.9), (3, 0.8), (2, 0.7)]) == [(1, 0.9), (2, 0.7)]


def test_curves_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from PIL import Image

    from imagen_core.training.curve import plot

    plot({"base": [(n, 1 / n) for n in range(1, 40)]}, tmp_path / "loss.png")
    with Image.open(tmp_path / "loss.png") as drawn:
        assert drawn.size == (1080, 312)
