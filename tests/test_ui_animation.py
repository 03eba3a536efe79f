"""Frames become an animation, and what is no frame is refused in a sentence."""

from __future__ import annotations

import base64
import io
import json

import pytest
import torch
from PIL import Image

from imagen_core.ui import animation as module
from imagen_core.ui.animation import LAST_MS, SIDE, STEP_MS, animation, make_animation
from imagen_core.ui.messages import encoded


def frames(number: int, size: int = 64) -> list[str]:
    """Plain pictures of growing brightness, as the page sends them."""
    return [uri for i in range(number) for uri in encoded(torch.full((1, 3, size, size), i / number), 512, 85)]


def uri(image: Image.Image, kind: str = "bmp") -> str:
    data = io.BytesIO()
    image.save(data, kind)
    return f"data:image/{kind};base64,{base64.b64encode(data.getvalue()).decode()}"


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_animation_shows_every_frame_in_order_and_rests_at_the_last(kind: str) -> None:
    shown = Image.open(io.BytesIO(animation(frames(5) + frames(2, 256), kind)))
    assert (shown.format, shown.size, shown.info["loop"]) == (kind.upper(), (SIDE, SIDE), 0)
    assert shown.n_frames == 7  # type: ignore[attr-defined]
    brightness, durations = [], []
    for i in range(7):
        shown.seek(i)
        pixel = shown.convert("RGB").getpixel((SIDE // 2, SIDE // 2))
        brightness.append(pixel[0])  # type: ignore[index]
        durations.append(shown.info["duration"])
    expected = [127.5 * (1 + i / 5) for i in range(5)] + [127.5, 127.5 * 1.5]
    assert brightness == pytest.approx(expected, abs=3)
    assert durations == [STEP_MS] * 6 + [LAST_MS]


def test_pixels_of_the_smallest_stage_stay_square() -> None:
    board = Image.new("RGB", (64, 64))
    board.putdata([(255, 255, 255) if (i + i // 64) % 2 else (0, 0, 0) for i in range(64 * 64)])
    shown = Image.open(io.BytesIO(animation([uri(board)], "gif"))).convert("L")
    assert set(shown.tobytes()) == {0, 255}  # any smoothing would make greys
    assert shown.getpixel((5, 0)) != shown.getpixel((6, 0))


@pytest.mark.parametrize(
    ("sent", "kind", "words"),
    [
        (None, "gif", "list of data URIs"),
        ("data:image/bmp;base64,AAAA", "gif", "list of data URIs"),
        ([1, 2], "gif", "list of data URIs"),
        ([], "gif", "1 to 300 frames, not 0"),
        (frames(1) * 301, "webp", "1 to 300 frames, not 301"),
        (["data:image/bmp;base64," + "A" * 300_001], "gif", "too large"),
        (["data:image/bmp;base64," + "A" * 290_000] * 100, "gif", "too large"),
        (["http://127.0.0.1/x.png"], "gif", "Frame 1 is no BMP or JPEG"),
        (["/etc/passwd"], "gif", "Frame 1 is no BMP or JPEG"),
        (["data:image/svg+xml;base64,AAAA"], "gif", "Frame 1 is no BMP or JPEG"),
        (["data:image/bmp;base64,AA AA\n"], "gif", "Frame 1 is no BMP or JPEG"),
        (["data:image/bmp;base64,AAA"], "gif", "Frame 1 cannot be decoded"),
        (["data:image/bmp;base64,AAAA"], "gif", "Frame 1 cannot be decoded"),
        ([*frames(1), frames(1)[0][:80] + "="], "gif", "Frame 2 "),
        ([frames(1, 256)[0][:200]], "webp", "Frame 1 "),
        ([uri(Image.new("RGB", (1025, 8)))], "gif", "larger than 1024 pixels"),
        ([uri(Image.new("RGB", (30_000, 30)), "jpeg")], "gif", "larger than 1024 pixels"),
        ([uri(Image.new("RGB", (8, 8)), "gif").replace("image/gif", "image/bmp")], "gif", "Frame 1 cannot be decoded"),
        (frames(1), "exe", "a gif or a webp"),
        (frames(1), ["gif"], "a gif or a webp"),
        (frames(1), None, "a gif or a webp"),
    ],
)
def test_hostile_requests_are_refused_in_a_sentence(sent: object, kind: object, words: str) -> None:
    answer = make_animation({"frames": sent, "kind": kind})
    assert set(answer) == {"problem"}
    assert words in answer["problem"]


@pytest.mark.parametrize("request_", [None, 5, "frames", [], {}])
def test_request_of_another_shape_is_refused(request_: object) -> None:
    assert set(make_animation(request_)) == {"problem"}


def test_answer_is_plain_data_and_the_next_one_has_its_turn() -> None:
    for _ in range(2):
        answer = make_animation({"frames": frames(2), "kind": "gif"})
        assert json.loads(json.dumps(answer))["data"].startswith("data:image/gif;base64,R0lG")
        make_animation({"frames": ["broken"], "kind": "gif"})


def test_only_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.01)
    with module._turn:
        assert "try again" in make_animation({"frames": frames(1), "kind": "gif"})["problem"]
    assert "data" in make_animation({"frames": frames(1), "kind": "gif"})
