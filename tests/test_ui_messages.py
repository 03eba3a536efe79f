"""What the page is told of a run."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import asdict

import pytest
import torch
from PIL import Image

from imagen_core.events import Preview, StageFinished, StepStats
from imagen_core.imagen import Imagen
from imagen_core.ui.messages import INTERVAL, Messages, encoded

STATS = StepStats(0.0, (1.0,), (0.0,), (0.0,), (1.0,), (0.0,))


def picture(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def preview(step: int, num_steps: int, size: int = 64) -> Preview:
    return Preview("base", step, num_steps, torch.zeros(1, 3, size, size), torch.zeros(1, 3, size, size), STATS, 0.1)


def test_run_is_told_from_beginning_to_end(tiny_imagen: Imagen) -> None:
    recipe = tiny_imagen.recipe("a red apple", seed=7)
    messages = Messages()
    told = [messages.begun(recipe)]
    told += [message for event in tiny_imagen.stream(recipe) if (message := messages.event(event))]
    assert [message["kind"] for message in told if message["kind"] != "step"] == ["begun", *["stage", "stage_done"] * 3]
    for stage in recipe.stages():
        steps = [message["step"] for message in told if message["kind"] == "step" and message["stage"] == stage]
        assert steps[0] == 1
        assert steps[-1] == recipe.stage(stage).num_steps
        assert steps == sorted(set(steps))
    assert len({message["number"] for message in told}) == len(told)
    assert {message["run"] for message in told} == {told[0]["run"]}
    json.dumps(told)  # plain data only: it crosses processes and the network


def test_steps_between_are_skipped_when_they_come_too_fast() -> None:
    messages = Messages()
    told = [step for step in range(1, 101) if messages.event(preview(step, 100))]
    assert told[0] == 1
    assert told[-1] == 100
    assert len(told) < 10


def test_instruments_of_skipped_steps_come_with_the_next_one() -> None:
    messages = Messages()
    told = [message for step in range(1, 101) if (message := messages.event(preview(step, 100)))]
    steps = [step for message in told for step in [*(b["step"] for b in message["between"]), message["step"]]]
    assert steps == list(range(1, 101))
    assert all(set(b["stats"]) == set(asdict(STATS)) for message in told for b in message["between"])


def test_steps_that_take_their_time_are_all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def clock() -> Iterator[float]:
        now = 100.0
        while True:
            yield now
            now += INTERVAL + 0.001

    ticks = clock()
    monkeypatch.setattr("imagen_core.ui.messages.time.monotonic", lambda: next(ticks))
    messages = Messages()
    assert all(messages.event(preview(step, 12)) for step in range(1, 13))


@pytest.mark.parametrize(
    ("size", "images", "kind", "sent"),
    [(64, 1, "PNG", 64), (256, 1, "JPEG", 256), (1024, 1, "JPEG", 512), (1024, 4, "JPEG", 256), (1024, 9, "JPEG", 128)],
)
def test_previews_are_small_and_64_pixels_are_exact(size: int, images: int, kind: str, sent: int) -> None:
    x_0 = torch.rand(images, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    uris = encoded(x_0, 512, 85)
    assert len(uris) == images
    shown = picture(uris[0])
    assert (shown.format, shown.size) == (kind, (sent, sent))
    if size == 64:
        pixels = torch.tensor(list(shown.tobytes()), dtype=torch.float32).view(64, 64, 3).permute(2, 0, 1)
        assert torch.equal(pixels, ((x_0[0] + 1) * 127.5).round())


def test_cached_stage_brings_its_picture() -> None:
    event = StageFinished("base", 64, torch.zeros(2, 3, 64, 64), 0.0, cached=True)
    messages = Messages()
    told = messages.event(event)
    assert told is not None
    assert told["cached"]
    assert len(told["x_0"]) == 2
    assert messages.finished("base", [])["cached"] == ["base"]
