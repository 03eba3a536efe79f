"""What the page is started with."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagen_core.presets import PRESETS
from imagen_core.ui.flags import read_flags


def test_without_flags_the_bundled_model_is_served_on_this_machine_alone() -> None:
    flags = read_flags([])
    assert flags.model.preset is PRESETS["bundled"]
    assert (flags.host, flags.port, flags.share, flags.mcp) == (None, None, False, False)


def test_a_model_has_the_names_that_it_has_at_the_other_doors(tmp_path: Path) -> None:
    assert read_flags(["--model", "DeepFloyd/IF-I-L-v1.0"]).model == read_flags(["--model", "deepfloyd-if-l"]).model
    assert read_flags(["--model", str(tmp_path), "--port", "80"]).model.source == str(tmp_path)


@pytest.mark.parametrize("model", ["dall-e", "", "no/such/folder"])
def test_a_model_that_there_is_not_is_refused(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_flags(["--model", model])
    assert ended.value.code == 2
    assert f"--model {model!r} is neither a folder nor one of: bundled, " in capsys.readouterr().err


@pytest.mark.parametrize("port", ["0", "65536", "99999", "-1", "x", "80.0", ""])
def test_a_port_that_there_is_not_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_flags([f"--port={port}"])
    assert ended.value.code == 2
    assert f"argument --port: must be a whole number from 1 to 65535, not {port!r}" in capsys.readouterr().err
