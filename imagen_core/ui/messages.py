"""A run's events as small messages for the cascade view in the browser.

The view keeps the pictures, so no message repeats one. Previews are at least 80 ms apart in a stage, but its first
and last step are always there; a step between is skipped before it is encoded, which is what keeps streaming cheap.
"""

from __future__ import annotations

import base64
import io
import itertools
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeAlias

from imagen_core.events import Event, Preview, PromptEncoded, StageFinished, StageStarted
from imagen_core.recipe import SIZES, Recipe

if TYPE_CHECKING:
    from torch import Tensor

Message: TypeAlias = dict[str, Any]

INTERVAL = 0.08  # seconds between the previews of a stage
_EXACT_SIZE = 64  # pixels; a picture up to here is sent as PNG, because the page enlarges its pixels
_X_0, _X_T = (512, 85), (256, 70)  # pixels and JPEG quality; noise is dear to compress, and nobody reads it closely


class Messages:
    """The messages of one run, in their order."""

    def __init__(self) -> None:
        self._run = secrets.token_hex(6)
        self._count = itertools.count()
        self._sent_at = 0.0
        self._began = time.monotonic()
        self._cached: list[str] = []

    def message(self, kind: str, **values: object) -> Message:
        """One message; its number makes it differ from the one before, else the page would not see it."""
        return {"kind": kind, "run": self._run, "number": next(self._count), **values}

    def begun(self, recipe: Recipe) -> Message:
        """The first: which stages will run."""
        return self.message("begun", stages=list(recipe.stages()), num_images=recipe.num_images)

    def event(self, event: Event) -> Message | None:
        """What the view has to know of `event`, if anything."""
        match event:
            case PromptEncoded():
                return None  # the page has told it while the prompt was typed
            case StageStarted():
                self._sent_at = 0.0
                return self.message("stage", **asdict(event))
            case Preview():
                return self._step(event)
            case StageFinished():
                pictures = encoded(event.x_0, *_X_0) if event.cached else []
                if event.cached:
                    self._cached.append(event.stage)
                values = {"stage": event.stage, "seconds": event.seconds, "cached": event.cached}
                return self.message("stage_done", x_0=pictures, **values)

    def finished(self, stage: str, files: Sequence[Message]) -> Message:
        """The last: the files of the finished pictures."""
        seconds = time.monotonic() - self._began
        values = {"stage": stage, "files": list(files), "cached": self._cached}
        return self.message("finished", seconds=seconds, size=SIZES[stage], **values)

    def _step(self, preview: Preview) -> Message | None:
        now = time.monotonic()
        if 1 < preview.step < preview.num_steps and now - self._sent_at < INTERVAL:
            return None
        self._sent_at = now
        return self.message(
            "step",
            stage=preview.stage,
            step=preview.step,
            num_steps=preview.num_steps,
            seconds=preview.seconds,
            stats=asdict(preview.stats),
            x_0=encoded(preview.x_0, *_X_0),
            x_t=encoded(preview.x_t, *_X_T),
        )


def encoded(x_0: Tensor, max_size: int, quality: int) -> list[str]:
    """The n pictures of (n, 3, h, w) as data URIs; the more there are, the smaller each."""
    from imagen_core.images import to_jpeg, to_pil

    if max(x_0.shape[2:]) <= _EXACT_SIZE:
        return [_data_uri("png", _png(image)) for image in to_pil(x_0)]
    images = x_0.shape[0]
    size = max_size if images == 1 else max(_EXACT_SIZE, max_size // 2 if images <= 4 else max_size // 4)
    return [_data_uri("jpeg", to_jpeg(x, size, quality)) for x in x_0]


def _png(image: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, format="PNG", compress_level=1)
    return data.getvalue()


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
