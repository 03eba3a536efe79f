"""A run's events as small messages for the cascade view in the browser.

The view keeps the pictures, so no message repeats one. Every message costs the page's process about as much as the
pictures in it, so steps come at least 100 ms apart, those between travel with the next one, and a stage's last step
tells its end. Instruments are never left out, nor are the pictures of a stage's first and last step; those of steps
between are made as long as making pictures takes a small share of the run.
"""

from __future__ import annotations

import base64
import io
import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from imagen_core.events import Event, Preview, PromptEncoded, StageFinished, StageStarted, WordAttention
from imagen_core.fork import Fork
from imagen_core.recipe import SIZES, Recipe

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

Message: TypeAlias = dict[str, Any]

INTERVAL = 0.1  # seconds between two messages of steps
SHARE = 0.03  # of a run's time may go into its pictures before those of steps between are left out
# Pixels; a picture up to here is sent as it is, because the page enlarges its pixels: as BMP, 16 kB in base64, because
# most steps are of this size, and PNG takes over ten times as long to save a third of that at most.
_EXACT_SIZE = 64
_REPEATING = 8  # messages of a run, from the first
_MAPS_BYTES = 2**16  # of word maps in one message
_X_0, _X_T = (512, 85), (256, 70)  # pixels and JPEG quality; nobody reads noise closely


@dataclass(frozen=True)
class Shown:
    """What of a run's steps a view shows.

    size: pixels a side of x_0 at most. noisy: whether x_t is shown as well. among: how many runs are drawn together;
    their pictures are made one after the other, so each has its share of the time, and of the messages.
    """

    size: int = _X_0[0]
    noisy: bool = True
    among: int = 1


class Messages:
    """The messages of one run, in their order. It can be pickled, to go on in another process."""

    def __init__(self, shown: Shown | None = None) -> None:
        self._shown = shown or Shown()
        self._run = secrets.token_hex(6)
        self._count = 0
        self._sent_at = -math.inf
        self._began: float | None = None  # when the drawing did; a model may have been loaded before
        self._encoding = 0.0  # seconds that pictures have taken
        self._cached: list[str] = []
        self._steps: list[Message] = []  # not told yet, the oldest first
        self._begun: dict[str, Message] = {}  # by kind: how the run began, and its newest stage

    def message(self, kind: str, **values: object) -> Message:
        """One message; its number makes it differ from the one before, else the page would not see it.

        What comes in one moment is one change to the page, which sees the last message alone. How a run and its stage
        begin no view may miss, so the first messages of a run repeat it, in `before`.
        """
        self._count += 1
        told: Message = {"kind": kind, "run": self._run, "number": self._count, **values}
        before = list(self._begun.values())
        if kind in ("begun", "promoting") or (kind == "stage" and before):
            self._begun[kind] = told
        return told | {"before": before} if before and self._count <= _REPEATING else told

    def begun(self, recipe: Recipe) -> Message:
        """The first: which stages will run, and what tells this run from another one."""
        values = {"prompt": recipe.prompt, "seed": recipe.seed, "num_images": recipe.num_images}
        values |= {"link": recipe.to_link(), "fork": fork_message(recipe.fork)}
        return self.message("begun", stages=list(recipe.stages()), **values)

    def event(self, event: Event) -> Message | None:
        """What the view has to know of `event`, if anything."""
        self._began = self._began or time.monotonic()
        match event:
            case PromptEncoded():
                return None  # the page has told it while the prompt was typed
            case StageStarted():
                self._steps = []
                return self.message("stage", **asdict(event))
            case Preview():
                return self._preview(event)
            case StageFinished():
                return self._stage_done(event)

    def rest(self) -> list[Message]:
        """The steps that were not told yet, of a run that ends before its stage does."""
        return [self._told()] if self._steps else []

    def finished(self, stage: str, files: Sequence[Message]) -> Message:
        """The last: the files of the finished pictures."""
        seconds = self._seconds()
        values = {"stage": stage, "files": list(files), "cached": self._cached}
        return self.message("finished", seconds=seconds, size=SIZES[stage], **values)

    def _seconds(self) -> float:
        """Since the drawing began."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    def _preview(self, preview: Preview) -> Message | None:
        now = time.monotonic()
        due = now - self._sent_at >= INTERVAL * self._shown.among
        wanted = due or preview.step in (1, preview.num_steps)
        step: Message = {"stage": preview.stage, "step": preview.step, "num_steps": preview.num_steps}
        step |= {"seconds": preview.seconds, "stats": _stats(preview)}
        if wanted or self._encoding <= SHARE / self._shown.among * self._seconds():
            step |= _pictures(preview, self._shown)
            step |= _attention(preview)
            self._encoding += time.monotonic() - now
        self._steps.append(step)
        # The last one goes with the stage's end, which follows at once.
        return self._told() if due and preview.step < preview.num_steps else None

    def _told(self, **values: object) -> Message:
        """The newest step, with those between it and the last one that was told."""
        self._sent_at = time.monotonic()
        *between, newest = self._steps
        self._steps = []
        return self.message("step", between=between, **newest, **values)

    def _stage_done(self, event: StageFinished) -> Message:
        """With its last steps; where it is kept from an earlier run, with its picture."""
        values: Message = {"stage": event.stage, "seconds": event.seconds, "cached": event.cached}
        if event.cached:
            self._cached.append(event.stage)
        if event.cached or not self._steps:
            return self.message("stage_done", x_0=encoded(event.x_0, *_X_0) if event.cached else [], **values)
        return self._told(done=values)


def of_no_run(kind: str, **values: object) -> Message:
    """A message that no run has sent, for whichever is shown; like all it differs from the one before."""
    return Messages().message(kind, **values) | {"run": "", "sent": secrets.token_hex(6)}


def _pictures(preview: Preview, shown: Shown) -> Message:
    """What the step shows; small pictures are made in one go, for the first of them takes most of the time."""
    import torch

    x_0, x_t = preview.x_0, preview.x_t
    if not shown.noisy:
        return {"x_0": encoded(x_0, shown.size, _X_0[1])}
    if max(x_0.shape[2:]) > _EXACT_SIZE:
        return {"x_0": encoded(x_0, shown.size, _X_0[1]), "x_t": encoded(_thinned(x_t), *_X_T)}
    both = encoded(torch.cat([x_0, x_t]), *_X_0)
    return {"x_0": both[: len(x_0)], "x_t": both[len(x_0) :]}


def _thinned(x_t: Tensor) -> Tensor:
    """Every so-and-so-many-th pixel of (n, 3, h, w): noise stays as loud as it is, which the mean of many would not."""
    apart = -(-max(x_t.shape[2:]) // _side(_X_T[0], len(x_t)))
    return x_t[:, :, ::apart, ::apart]


def _side(max_size: int, images: int) -> int:
    """Pixels of a side at most: the more pictures there are, the smaller each."""
    if images == 1:
        return max_size
    return max(_EXACT_SIZE, max_size // 2 if images <= 4 else max_size // 4)


def _stats(preview: Preview) -> Message:
    """The instruments, and where it was recorded the share of attention that the text has."""
    share = {} if preview.attention is None else {"text_share": preview.attention.text_share}
    return asdict(preview.stats) | share


def _attention(preview: Preview) -> Message:
    return {} if preview.attention is None else {"attention": encoded_attention(preview.attention)}


def fork_message(fork: Fork | None) -> Message | None:
    """Where a recipe leaves which other one, for the view; None where it has no fork."""
    if fork is None:
        return None
    parent = {"link": fork.parent.to_link(), "prompt": fork.parent.prompt, "seed": fork.parent.seed}
    return {"stage": fork.stage, "step": fork.step, "history": fork.history, "parent": parent}


def encoded(x_0: Tensor, max_size: int, quality: int) -> list[str]:
    """The n pictures of (n, 3, h, w) as data URIs; the more there are, the smaller each.

    Small ones are BMPs, larger ones JPEGs.
    """
    from imagen_core.images import to_bmps, to_jpeg

    if max(x_0.shape[2:]) <= _EXACT_SIZE:
        return [data_uri("bmp", picture) for picture in to_bmps(x_0)]
    size = _side(max_size, len(x_0))
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


def png(image: Image) -> bytes:
    """A picture as PNG, quickly."""
    data = io.BytesIO()
    image.save(data, format="PNG", compress_level=1)
    return data.getvalue()


def data_uri(kind: str, data: bytes) -> str:
    """A picture of the kind "bmp", "png" or "jpeg" as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
