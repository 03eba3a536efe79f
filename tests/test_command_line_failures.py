"""What can go wrong while the command line draws, and what is left then."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from imagen_core.__main__ import main
from imagen_core.imagen import Imagen
from imagen_core.metadata import read_recipe
from tests.drawn_in_a_folder import FEW_STEPS, ONE_STAGE, drawn, pixels


def test_missing_weights_are_told_in_a_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine").mkdir()
    assert main(["x", "--model", "mine", *ONE_STAGE]) == 1
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("imagen_core: ")
    assert "mine" in errors
    assert errors.count("\n") == 1
    assert os.listdir() == ["mine"]


def test_what_was_drawn_before_a_stage_failed_is_kept_under_another_name(
    folder: Path, tiny_imagen: Imagen, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out.png").write_bytes(b"before")
    for parameter in tiny_imagen.cascade.stages["sr1024"].unet.parameters():
        parameter.fill_(float("nan"))
    assert drawn(tiny_imagen, "x", *FEW_STEPS) == 1
    output, errors = capsys.readouterr()
    assert output == "out-sr256.png\n"
    assert errors.startswith("imagen_core: sr1024: ")
    assert errors.endswith("; what sr256 drew is in 'out-sr256.png'.\n")
    assert Path("out.png").read_bytes() == b"before"
    recipe = read_recipe(Path("out-sr256.png"))
    assert recipe.last_stage == "sr256"
    assert drawn(tiny_imagen, "--recipe", "out-sr256.png", "--output", "again.png", "--quiet") == 0
    assert pixels("again.png") == pixels("out-sr256.png")
    capsys.readouterr()
    for parameter in tiny_imagen.cascade.stages["base"].unet.parameters():
        parameter.fill_(float("nan"))
    assert drawn(tiny_imagen, "y", *FEW_STEPS) == 1
    errors = capsys.readouterr().err
    assert errors.startswith("imagen_core: base: ")
    assert errors.count("\n") == 1


def test_a_full_disk_is_told_in_a_sentence_and_leaves_what_was_there(
    folder: Path, tiny_imagen: Imagen, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out.png").write_bytes(b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        code = drawn(tiny_imagen, "x", *ONE_STAGE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert code == 1
    assert capsys.readouterr() == ("", "imagen_core: Cannot write 'out.png': File too large.\n")
    assert Path("out.png").read_bytes() == b"before"
    assert os.listdir() == ["out.png"]


def test_ctrl_c_stops_and_leaves_nothing_half_written(
    folder: Path, tiny_imagen: Imagen, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background begins without it
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        code = drawn(tiny_imagen, "x", "--num-images", "40", "--steps", "250", "--last-stage", "base", "--quiet")
    finally:
        timer.join()
        signal.signal(signal.SIGINT, handler)
    assert code == 130
    assert capsys.readouterr() == ("", "imagen_core: stopped\n")
    assert os.listdir() == []


def test_a_reader_that_goes_away_is_no_error_of_the_program() -> None:
    command = [sys.executable, "-m", "imagen_core", "an apple", "--print-recipe"]
    read, write = os.pipe()
    os.close(read)  # nobody will read, as behind `head`
    run = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (run.returncode, run.stderr) == (141, "")
