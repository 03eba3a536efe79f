"""A run's events as small messages for the cascade view in the browser.

The view keeps the pictures, so no message repeats one. Previews are at least 80 ms apart in a stage, but its first
and last step are always there; a step between is skipped before it is encoded, which is what keeps streaming cheap.
Its instruments are a few numbers and travel with the next message, so that none is missing.
"""

from __future__ import annotations

import base64
import io
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeAlias

from imagen_core.events import Event, Preview, PromptEncoded, StageFinished, StageStarted, WordAttention
from imagen_core.recipe import SIZES, Recipe

if TYPE_CHECKING:
    from torch import Tensor

Message: TypeAlias = dict[str, Any]

INTERVAL = 0.08  # seconds between the previews of a stage
_EXACT_SIZE = 64  # pixels; a picture up to here is sent as PNG, because the page enlarges its pixels
_MAPS_BYTES = 2**16  # of word maps in one message
# Pixels, JPEG quality and PNG level; noise is dear to compress, gets no smaller by it, and nobody reads it closely.
_X_0, _X_T = (512, 85, 1), (256, 70, 0)


class Messages:
    """The messages of one run, in their order. It can be pickled, to go on in another process."""

    def __init__(self) -> None:
        self._run = secrets.token_hex(6)
        self._count = 0
        self._sent_at = 0.0
        self._began = time.monotonic()
        self._cached: list[str] = []
        self._between: list[Message] = []

    def message(self, kind: str, **values: object) -> Message:
        """One message; its number makes it differ from the one before, else the page would not see it."""
        self._count += 1
        return {"kind": kind, "run": self._run, "number": self._count, **values}

    def begun(self, recipe: Recipe) -> Message:
        """The first: which stages will run, and what tells this run from another one."""
        values = {"prompt": recipe.prompt, "seed": recipe.seed, "num_images": recipe.num_images}
        values |= {"link": recipe.to_link(), "fork": fork_message(recipe)}
        return self.message("begun", stages=list(recipe.stages()), **values)

    def event(self, event: Event) -> Message | None:
        """What the view has to know of `event`, if anything."""
        match event:
            case PromptEncoded():
                return None  # the page has told it while the prompt was typed
            case StageStarted():
                self._sent_at, self._between = 0.0, []
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
            self._between.append({"step": preview.step, "stats": _stats(preview)})
            return None
        self._sent_at = now
        between, self._between = self._between, []
        return self.message(
            "step",
            stage=preview.stage,
            step=preview.step,
            num_steps=preview.num_steps,
            seconds=preview.seconds,
            stats=_stats(preview),
            between=between,
            x_0=encoded(preview.x_0, *_X_0),
            x_t=encoded(preview.x_t, *_X_T),
            **_attention(preview),
        )


def _stats(preview: Preview) -> Message:
    """The instruments, and where it was recorded the share of attention that the text has."""
    share = {} if preview.attention is None else {"text_share": preview.attention.text_share}
    return asdict(preview.stats) | share


def _attention(preview: Preview) -> Message:
    return {} if preview.attention is None else {"attention": encoded_attention(preview.attention)}


def fork_message(recipe: Recipe) -> Message | None:
    """Where a recipe leaves which other one, for the view; None where it has no fork."""
    fork = recipe.fork
    if fork is None:
        return None
    parent = {"link": fork.parent.to_link(), "prompt": fork.parent.prompt, "seed": fork.parent.seed}
    return {"stage": fork.stage, "step": fork.step, "history": fork.history, "parent": parent}


def encoded(x_0: Tensor, max_size: int, quality: int, level: int = 1) -> list[str]:
    """The n pictures of (n, 3, h, w) as data URIs; the more there are, the smaller each.

    Small ones are PNGs, with zlib's compression `level`; larger ones JPEGs.
    """
    from imagen_core.images import to_jpeg, to_pil

    if max(x_0.shape[2:]) <= _EXACT_SIZE:
        return [data_uri("png", png(image, level)) for image in to_pil(x_0)]
    images = x_0.shape[0]
    size = max_size if images == 1 else max(_EXACT_SIZE, max_size // 2 if images <= 4 else max_size // 4)
    return [data_uri("jpeg", to_jpeg(x, size, quality)) for x in x_0]


def encoded_attention(attention: WordAttention) -> Message:
    """Maps of words as bytes in base64: images x words x height x width, each from 0 to its peak.

    Where all images would take more than `_MAPS_BYTES`, as many of the first as fit, at least one.
    """
    n, words, height, width = attention.maps.shape
    images = max(1, min(n, _MAPS_BYTES // max(1, words * height * width)))
    maps = attention.maps[:images].float().cpu()
    peaks = maps.amax(dim=(2, 3), keepdim=True)  # (images, words, 1, 1)
    scaled = (maps / peaks.clamp(min=1e-12) * 255).round().byte()
    data = base64.b64encode(scaled.numpy().tobytes()).decode("ascii")
    shown = {"words": list(attention.words), "size": [height, width], "text_share": attention.text_share}
    return shown | {"peaks": peaks[:, :, 0, 0].tolist(), "maps": data}


def png(image: Any, level: int = 1) -> bytes:
    """A PIL image as PNG, quickly; `level` is zlib's, 0 for no compression."""
    data = io.BytesIO()
    image.save(data, format="PNG", compress_level=level)
    return data.getvalue()


def data_uri(kind: str, data: bytes) -> str:
    """A picture of the kind "png" or "jpeg" as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
