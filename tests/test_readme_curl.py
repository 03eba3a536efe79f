"""The README's lines for curl, as they stand there but for the address."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from imagen_core.recipe import STAGES, Recipe
from tests.ui_page import GRADIO_WARNING, recorded, served

pytestmark = GRADIO_WARNING


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_both_lines_run_and_the_second_streams_events_and_the_recipe() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    (code,) = (block for block in re.findall(r"```sh\n(.*?)```", readme, re.S) if "call/generate" in block)
    ask, listen = code.splitlines()
    imagen = recorded()
    with served(lambda: imagen) as address:

        def run(line: str) -> str:
            assert "http://127.0.0.1:7860/" in line
            words = shlex.split(line.replace("http://127.0.0.1:7860/", address), comments=True)
            return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout

        answered = json.loads(run(ask))
        told = run(listen.replace("EVENT_ID", answered["event_id"]))
    lines = told.splitlines()
    events = [json.loads(line[6:])[2] for line in lines if line.startswith("data: [")]
    assert events[0]["kind"] == "stage"
    assert [event["stage"] for event in events if "done" in event] == list(STAGES)
    assert events[-1]["kind"] == "finished"
    assert "event: complete" in lines
    _, recipe, _ = json.loads(next(line[6:] for line in reversed(lines) if line.startswith("data: [")))
    assert Recipe.from_dict(recipe) == Recipe(prompt="a red apple", seed=7)
