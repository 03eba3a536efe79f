"""The part of the page that needs the accelerator: a recipe goes in, messages with pictures as bytes come out.

It may run in another process (`imagen_core.zero_gpu`), so what goes in and out can be pickled, and what goes wrong is
a message as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagen_core.check import Checks, link_with_check
from imagen_core.events import StageError, StageFinished
from imagen_core.metadata import to_png
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.sampling_thread import Attach, Work
from imagen_core.ui.errors import sentence
from imagen_core.ui.messages import Message, Messages
from imagen_core.ui.model import BackgroundModel

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Order:
    """What to draw, the messages so far, which those of the drawing go on from, and whether with maps of the words.

    anew: whether with all steps, also those of stages that are kept.
    """

    recipe: Recipe
    messages: Messages
    attention: bool = False
    anew: bool = False


def drawing(models: Mapping[str, BackgroundModel]) -> Work[Order, Message]:
    """The generator function that draws an order with one of `models`.

    Its last message is "finished", whose files each hold a "png", bytes, and its "name", "seed", "link" and "check";
    or "stopped" or "failed".
    """

    def draw(order: Order, attach: Attach) -> Iterator[Message]:
        recipe, messages = order.recipe, order.messages
        from imagen_core.images import to_pil

        stage = None
        try:
            imagen = models[recipe.model].get()
            run, checks = imagen.stream(recipe, order.attention, order.anew), Checks(imagen.weights)
            attach(run)
            last = None
            for event in run:
                stage = getattr(event, "stage", stage)
                message = messages.event(event)
                if message is not None:
                    yield message
                if isinstance(event, StageFinished):  # after it was shown: nobody waits for a check
                    last, images = event, to_pil(event.x_0)
                    checks.add(images)
            if run.closed or last is None:
                yield from messages.rest()
                yield messages.message("stopped")
            else:
                yield messages.finished(last.stage, _files(images, recipe, checks))
        except Exception as error:
            yield from messages.rest()
            yield failure(messages, error, stage)

    return draw


def failure(messages: Messages, error: Exception, stage: str | None = None) -> Message:
    """What the view is told of an error; `stage` is where it came up, if the error itself does not say it."""
    field = error.field if isinstance(error, RecipeError) else ""
    broken = error.stage if isinstance(error, StageError) else stage
    return messages.message("failed", text=sentence(error), stage=broken, field=field)


def file_name(recipe: Recipe) -> str:
    """A name for the picture of a one-image recipe: some of its prompt, and its seeds; those of one run differ."""
    words = re.sub(r"[^a-z0-9]+", "-", recipe.prompt.lower())[:48].strip("-")
    seeds = [recipe.seed] if recipe.variation_seed is None else [recipe.seed, recipe.variation_seed]
    return f"{'-'.join([words or 'picture', *map(str, seeds)])}.png"


def _files(images: Sequence[Image], recipe: Recipe, checks: Checks) -> list[Message]:
    """The finished pictures, each with the recipe that draws it alone."""
    files = []
    for index, image in enumerate(images):
        own, check = recipe.for_image(index), checks.of(index)
        told = {"link": link_with_check(own, check), "check": check.to_text()}
        files.append({"png": to_png(image, own, check), "name": file_name(own), "seed": own.seed} | told)
    return files
