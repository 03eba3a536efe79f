"""What the page is told of a run."""

from __future__ import annotations

import base64
import io
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
import torch
from PIL import Image

from imagen_core.events import Preview, StageFinished, StageStarted, StepStats
from imagen_core.imagen import Imagen
from imagen_core.recipe import Recipe
from imagen_core.ui.messages import INTERVAL, SHARE, Messages, Shown, encoded

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
    assert [message["kind"] for message in told if message["kind"] != "step"] == ["begun", *["stage"] * 3]
    for stage in recipe.stages():
        steps = [message for message in told if message["kind"] == "step" and message["stage"] == stage]
        numbers = [each["step"] for message in steps for each in (*message["between"], message)]
        assert numbers == list(range(1, recipe.stage(stage).num_steps + 1))
        assert [message["done"]["stage"] for message in steps if "done" in message] == [stage]
        assert "done" in steps[-1]
    assert len({message["number"] for message in told}) == len(told)
    assert {message["run"] for message in told} == {told[0]["run"]}
    json.dumps(told)  # plain data only: it crosses processes and the network


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock that stands still; what is returned moves it on, by seconds."""
    now = [100.0]
    monkeypatch.setattr("imagen_core.ui.messages.time.monotonic", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


def told_steps(messages: Messages, num_steps: int, pass_on: Callable[[], None]) -> list[dict[str, Any]]:
    """The messages of a stage of so many steps, before each of which `pass_on` is called."""
    told = []
    for step in range(1, num_steps + 1):
        pass_on()
        told.append(messages.event(preview(step, num_steps)))
    told.append(messages.event(StageFinished("base", 64, torch.zeros(1, 3, 64, 64), 0.0, cached=False)))
    return [message for message in told if message is not None]


def test_quick_steps_travel_together_and_none_is_left_out(clock: Callable[[float], None]) -> None:
    told = told_steps(Messages(), 100, lambda: clock(0.3 * INTERVAL))
    assert len(told) == 1 + 100 // 4  # the first at once, then every fourth; the last of them is the end
    assert [len(message["between"]) for message in told] == [0, *[3] * 24, 2]
    steps = [each for message in told for each in (*message["between"], message)]
    assert [step["step"] for step in steps] == list(range(1, 101))
    assert all(set(step["stats"]) == set(asdict(STATS)) for step in steps)
    assert all(step["x_0"] and step["x_t"] for step in steps)
    assert [message["step"] for message in told if "done" in message] == [100]


def test_steps_between_have_no_pictures_where_making_them_takes_too_much_of_the_run(
    clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(x: torch.Tensor, *_: int) -> list[str]:
        clock(SHARE * INTERVAL * len(x))  # two pictures a step, so twice the share once in an interval
        return ["picture"] * len(x)

    monkeypatch.setattr("imagen_core.ui.messages.encoded", slow)
    told = told_steps(Messages(), 30, lambda: clock(0.3 * INTERVAL))
    assert all(message["x_0"] and message["x_t"] for message in told)
    between = [step for message in told for step in message["between"]]
    assert len(between) > 20
    assert not any("x_0" in step or "x_t" in step for step in between[3:])
    assert all("stats" in step for step in between)


def test_runs_drawn_together_share_the_time_for_pictures_and_the_messages(
    clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(x: torch.Tensor, *_: int) -> list[str]:
        clock(SHARE * INTERVAL)
        return ["picture"] * len(x)

    monkeypatch.setattr("imagen_core.ui.messages.encoded", slow)
    runs = [Messages(Shown(noisy=False, among=4)) for _ in range(4)]
    told = []
    began = time.monotonic()
    for step in range(1, 401):
        clock(0.1 * INTERVAL)
        told += [message for run in runs if (message := run.event(preview(step, 400))) is not None]
    seconds = time.monotonic() - began
    assert len(told) <= 4 + seconds / INTERVAL
    steps = [step for message in told for step in (*message["between"], message)]
    made = sum("x_0" in step for step in steps)
    assert len(told) <= made <= 4 + 2 * seconds / INTERVAL  # one a message, and as many as the share allows
    assert not any("x_t" in step for step in steps)


def test_a_view_without_noise_gets_x_0_alone_and_as_large_as_it_shows_it() -> None:
    event = Preview("sr1024", 1, 2, torch.zeros(1, 3, 1024, 1024), torch.zeros(1, 3, 1024, 1024), STATS, 0.1)
    message = Messages(Shown(256, noisy=False)).event(event)
    assert message is not None
    assert "x_t" not in message
    assert picture(message["x_0"][0]).size == (256, 256)


def test_steps_that_take_their_time_are_told_one_by_one(clock: Callable[[float], None]) -> None:
    told = told_steps(Messages(), 12, lambda: clock(INTERVAL + 0.001))
    assert [message["step"] for message in told] == list(range(1, 13))
    assert not any(message["between"] for message in told)


def test_steps_that_were_not_told_when_a_run_breaks_off_are_its_rest(clock: Callable[[float], None]) -> None:
    messages = Messages()
    assert messages.rest() == []
    assert [bool(messages.event(preview(step, 9))) for step in (1, 2, 3)] == [True, False, False]
    (rest,) = messages.rest()
    assert (rest["kind"], rest["stage"], rest["step"]) == ("step", "base", 3)
    assert [step["step"] for step in rest["between"]] == [2]
    assert messages.rest() == []


@pytest.mark.parametrize(("images", "side"), [(1, 256), (3, 128), (9, 64)])
def test_pictures_of_x_t_are_as_noisy_as_it_is(images: int, side: int) -> None:
    noise = torch.randn(images, 3, 1024, 1024, generator=torch.Generator().manual_seed(0)) / 4  # little is clipped
    event = Preview("sr1024", 1, 2, noise, noise, STATS, 0.1)
    message = Messages().event(event)
    assert message is not None
    shown = picture(message["x_t"][0]).convert("L")
    truth = Image.fromarray(((noise[0, :, :256, :256] + 1) * 127.5).byte().permute(1, 2, 0).numpy()).convert("L")
    assert shown.size == (side, side)
    assert statistics.stdev(shown.tobytes()) == pytest.approx(statistics.stdev(truth.tobytes()), rel=0.1)


def test_small_pictures_of_x_0_and_x_t_are_each_image_s_own() -> None:
    x_0, x_t = torch.linspace(-1, 0, 2 * 3 * 64 * 64).view(2, 3, 64, 64), torch.full((2, 3, 64, 64), 0.5)
    message = Messages().event(Preview("base", 1, 2, x_0, x_t, STATS, 0.1))
    assert message is not None
    assert (message["x_0"], message["x_t"]) == (encoded(x_0, 64, 85), encoded(x_t, 64, 85))
    assert len(set(message["x_0"])) == 2


def test_a_run_took_as_long_as_it_was_drawn(clock: Callable[[float], None]) -> None:
    """It was told to take as long as its model had taken to load, too."""
    messages = Messages()
    messages.begun(Recipe())
    clock(120.0)
    messages.event(StageStarted("base", 64, num_images=1, num_steps=1))
    clock(2.5)
    assert messages.finished("base", [])["seconds"] == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("size", "images", "kind", "sent"),
    [(64, 1, "BMP", 64), (256, 1, "JPEG", 256), (1024, 1, "JPEG", 512), (1024, 4, "JPEG", 256), (1024, 9, "JPEG", 128)],
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


def test_the_first_messages_of_a_run_repeat_how_it_and_its_stage_began() -> None:
    """What comes in one moment is one change to the page: it saw the last alone, and its cursor stayed behind."""
    messages = Messages()
    begun = messages.begun(Recipe(prompt="an apple"))
    note = messages.message("note", text="Loading")
    stage = messages.event(StageStarted("base", 64, 1, 4))
    kept = messages.event(StageFinished("base", 64, torch.zeros(1, 3, 64, 64), 0.0, True))
    assert stage is not None
    assert kept is not None
    assert "before" not in begun
    assert note["before"] == stage["before"] == [begun]
    plain = {name: value for name, value in stage.items() if name != "before"}
    assert kept["before"] == [begun, plain]
    later = [messages.message("note", text="") for _ in range(20)]
    assert "before" not in later[-1]  # nobody has missed it by then


def test_a_run_that_no_view_shows_repeats_nothing() -> None:
    messages = Messages()
    told = [messages.event(StageStarted(name, 64, 1, 4)) for name in ("base", "sr256")]
    assert [message and message.get("before") for message in told] == [None, None]
