"""--sweep: a sheet from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from imagen_core.__main__ import main
from imagen_core.contact_sheet import read_sweep
from imagen_core.imagen import Imagen
from imagen_core.sweep import Sweep


def test_sweep_is_a_sheet(
    make_imagen: Callable[[], Imagen], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sheet.png"
    asked = ["an apple", "--last-stage", "base", "--steps", "2", "--quiet", "--num-images", "3", "--output", str(path)]
    asked += ["--sweep", "base.guidance_scale=1,3", "--sweep", "seed=1..2"]
    assert main(asked, lambda _: make_imagen()) == 0
    assert capsys.readouterr().out == f"{path}\n"
    sweep = read_sweep(path)
    assert [axis.name for axis in sweep.axes] == ["base.guidance_scale", "seed"]
    assert main([*asked, "--print-link"], lambda _: make_imagen()) == 0
    assert Sweep.from_link(capsys.readouterr().out.strip()) == sweep


@pytest.mark.parametrize("axis", ["seed", "colour=1", "seed=1,1", "seed=x", "=1"])
def test_sweep_that_is_refused(axis: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["an apple", "--sweep", axis, "--output", str(tmp_path / "a.png")]) == 2
    assert capsys.readouterr().err.startswith("imagen_core: ")
    assert not (tmp_path / "a.png").exists()
