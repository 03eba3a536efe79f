"""The three kinds of thresholding side by side: the browser asks for some steps of a run, and gets their pictures.

The answer is drawn anew from the run's recipe, in the queue of everything that draws; unasked, nothing is done.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagen_core.events import Stopped
from imagen_core.recipe import STAGES, Recipe, RecipeError
from imagen_core.sampling_thread import Attach, Work
from imagen_core.ui.drawing import failure
from imagen_core.ui.messages import Message, Messages, encoded
from imagen_core.ui.model import BackgroundModel
from imagen_core.validation import Choice, Whole

if TYPE_CHECKING:
    from torch import Tensor

    from imagen_core.threshold_comparison import ThresholdComparison

_STEP, _IMAGE = Whole(1, 1000), Whole(0, 63)
_MAX_STEPS = 1000
_SIZE, _QUALITY = 384, 85  # pixels and JPEG quality
_BEYOND = (1.0, -1.0, 1.0)  # the colour of what is out of range: no picture of ours has much of it


@dataclass(frozen=True)
class Comparison:
    """What is asked for: some steps of one stage and image of a recipe. `messages` are those of the answer."""

    recipe: Recipe
    stage: str
    image: int
    steps: frozenset[int]
    messages: Messages


def comparison_asked(asked: object, messages: Messages) -> Comparison:
    """The comparison that a browser asks for with {"link", "stage", "image", "steps"}; without steps, the last.

    Raises:
        RecipeError: a value is not what the page sends.
    """
    values = asked if isinstance(asked, Mapping) else {}
    steps, link = values.get("steps"), values.get("link")
    if not isinstance(steps, list) or len(steps) > _MAX_STEPS or not isinstance(link, str):
        raise RecipeError("recipe", "must be compared by a link and a list of steps: load the page again")
    return Comparison(
        recipe=Recipe.from_link(link),
        stage=Choice(STAGES).check("stage", values.get("stage")),
        image=_IMAGE.check("image", values.get("image")) or 0,
        steps=frozenset(_STEP.check("step", step) or 0 for step in steps),
        messages=messages,
    )


def comparing(models: Mapping[str, BackgroundModel]) -> Work[Comparison, Message]:
    """The generator function that draws a comparison with one of `models`.

    Its messages are "thresholds", one a step, and at the end "thresholds_done"; or "thresholds_failed".
    """

    def compare(asked: Comparison, attach: Attach) -> Iterator[Message]:
        from imagen_core.threshold_comparison import compare_thresholding

        where = {"stage": asked.stage, "image": asked.image}
        try:
            asking = _Asking()
            attach(asking)
            cascade = models[asked.recipe.model].get().cascade
            for step in compare_thresholding(cascade, asked.recipe, asked.stage, asked.image, asking.stop_if_asked):
                if step.step in asked.steps or (not asked.steps and step.step == step.num_steps):
                    yield asked.messages.message("thresholds", **where, **_told(step))
            yield asked.messages.message("thresholds_done", **where)
        except Stopped:
            yield asked.messages.message("thresholds_done", **where)
        except Exception as error:
            yield asked.messages.message("thresholds_failed", **where, text=failure(asked.messages, error)["text"])

    return compare


class _Asking:
    """Somebody waits for an answer, until `close`."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def close(self) -> None:
        self._stop.set()

    def stop_if_asked(self) -> None:
        if self._stop.is_set():
            raise Stopped


def _told(step: ThresholdComparison) -> dict[str, Any]:
    """One step as values of a message: the three pictures with s and the share of values that each moved."""
    guided = step.guided
    kinds = {
        kind: {"picture": _picture(done.x_0), "s": done.s[0], "clipped_share": done.clipped_share[0]}
        for kind, done in step.kinds.items()
    }
    return {
        "step": step.step,
        "used": step.used,
        "percentile": step.percentile,
        "largest": guided.abs().max().item(),
        "kinds": kinds,
        "beyond": _picture(_marked(guided)),
    }


def _marked(guided: Tensor) -> Tensor:
    """x_0 with every pixel in one glaring colour that has a value outside [-1, 1]."""
    colour = guided.new_tensor(_BEYOND).view(1, 3, 1, 1)
    return colour.where((guided.abs() > 1).any(dim=1, keepdim=True), guided)


def _picture(x_0: Tensor) -> str:
    return encoded(x_0, _SIZE, _QUALITY)[0]
