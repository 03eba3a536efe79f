"""A denoising as an animated picture: the browser holds the frames and sends those that it wants to have in one file.

They come from outside, so nothing about them is believed: number, length, kind and size are checked before a picture is
decoded, and one animation is made at a time.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from PIL import Image

from imagen_core.ui.errors import sentence

FORMATS = {"gif": "GIF", "webp": "WEBP"}
MAX_FRAMES = 300
MAX_FRAME_CHARS = 300_000  # of one data URI
MAX_TOTAL_CHARS = 24_000_000
MAX_SIDE = 1024  # pixels, of a frame that comes in
SIDE = 384  # pixels, of the animation: six times 64, so that the smallest stage keeps its square pixels
STEP_MS, LAST_MS = 80, 2000  # how long a frame stays, and the last one; GIF counts in hundredths of a second
_PATIENCE = 20.0  # seconds that a visitor waits for the animation of another one
_DATA_URI = re.compile(r"data:image/(?:bmp|jpeg);base64,([A-Za-z0-9+/]+={0,2})")
_PALETTE = Image.Quantize.FASTOCTREE
_turn = threading.BoundedSemaphore(1)


class AnimationError(ValueError):
    """What was sent cannot become an animation; its sentence is for the person at the page."""


def animation(frames: Sequence[str], kind: str) -> bytes:
    """The file of `kind`, "gif" or "webp", that shows `frames`, data URIs of BMP or JPEG, one after another, for ever.

    Raises AnimationError where they are not what the page sends.
    """
    _check(frames, kind)
    # A palette of its own for every frame, by the quick way: the default one takes 200 times as long.
    pictures = [image.quantize(256, _PALETTE) if kind == "gif" else image for image in _pictures(frames)]
    first, *rest = pictures
    durations = [STEP_MS] * len(rest) + [LAST_MS]
    data = io.BytesIO()
    options: dict[str, Any] = {"quality": 82, "method": 2} if kind == "webp" else {"optimize": False, "disposal": 1}
    first.save(data, FORMATS[kind], save_all=True, append_images=rest, duration=durations, loop=0, **options)
    return data.getvalue()


def make_animation(request: Any) -> dict[str, str]:
    """What the browser calls with {"frames": [data URI, ...], "kind": "gif" or "webp"}.

    The answer is {"data": data URI} or {"problem": sentence}.
    """
    if not _turn.acquire(timeout=_PATIENCE):
        return {"problem": "Others are saving animations at the moment: try again in a minute."}
    try:
        if not isinstance(request, Mapping):
            raise AnimationError("The request has no frames: reload the page and try again.")
        kind = request.get("kind")
        data = animation(request.get("frames"), kind)  # type: ignore[arg-type]  # it checks what it is given
        return {"data": f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"}
    except AnimationError as error:
        return {"problem": str(error)}
    except Exception as error:
        return {"problem": sentence(error)}
    finally:
        _turn.release()


def _check(frames: object, kind: object) -> None:
    if not isinstance(kind, str) or kind not in FORMATS:
        raise AnimationError("An animation is a gif or a webp: choose one of them.")
    if not isinstance(frames, list) or not all(isinstance(frame, str) for frame in frames):
        raise AnimationError("The frames must be a list of data URIs: reload the page and try again.")
    if not 1 <= len(frames) <= MAX_FRAMES:
        raise AnimationError(f"An animation has 1 to {MAX_FRAMES} frames, not {len(frames)}: choose a single size.")
    if max(map(len, frames)) > MAX_FRAME_CHARS or sum(map(len, frames)) > MAX_TOTAL_CHARS:
        raise AnimationError("The frames are too large for an animation: choose a single size.")


def _pictures(frames: Sequence[str]) -> Iterator[Image.Image]:
    for number, frame in enumerate(frames, start=1):
        yield _scaled(_picture(frame, number))


def _picture(frame: str, number: int) -> Image.Image:
    """The picture of a data URI; its size is known before its pixels are decoded."""
    match = _DATA_URI.fullmatch(frame)
    if match is None:
        raise AnimationError(f"Frame {number} is no BMP or JPEG as a data URI: reload the page and try again.")
    try:
        data = base64.b64decode(match[1], validate=True)
        with Image.open(io.BytesIO(data), formats=("BMP", "JPEG")) as image:
            if max(image.size) > MAX_SIDE:
                raise AnimationError(f"Frame {number} is larger than {MAX_SIDE} pixels: reload the page and try again.")
            return image.convert("RGB")
    except (binascii.Error, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, AnimationError):
            raise
        raise AnimationError(f"Frame {number} cannot be decoded: reload the page and try again.") from error


def _scaled(image: Image.Image) -> Image.Image:
    """All stages in one size; pixels that can be seen one by one stay square."""
    exact = SIDE % image.width == 0 and image.width == image.height
    return image.resize((SIDE, SIDE), Image.Resampling.NEAREST if exact else Image.Resampling.LANCZOS)
