"""The part of a wall that needs the accelerator: drafts go in, messages come out; see `drawing.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from imagen_core.drafts import Drafts
from imagen_core.recipe import Recipe
from imagen_core.sampling_thread import Attach, Work
from imagen_core.ui.draft_messages import DraftMessages
from imagen_core.ui.errors import sentence
from imagen_core.ui.messages import Message
from imagen_core.ui.model import BackgroundModel

if TYPE_CHECKING:
    from imagen_core.draft_wall import DraftWall
    from imagen_core.imagen import Imagen


@dataclass(frozen=True)
class DraftOrder:
    """The drafts to draw, and the messages so far, which those of the drawing go on from."""

    drafts: Drafts
    messages: DraftMessages

    @property
    def recipe(self) -> Recipe:
        """A recipe that takes as long as the wall."""
        return replace(self.drafts.recipe, last_stage="base", num_images=self.drafts.num_drafts)


def drafting(models: Mapping[str, BackgroundModel]) -> Work[DraftOrder, Message]:
    """The generator function that draws a wall; last it yields "finished", "stopped" or "failed"."""
    walls: WeakKeyDictionary[Imagen, DraftWall] = WeakKeyDictionary()  # a model that is let go takes its wall along

    def draw(order: DraftOrder, attach: Attach) -> Iterator[Message]:
        messages = order.messages
        try:
            from imagen_core.draft_wall import DraftWall

            imagen = models[order.drafts.recipe.model].get()
            run = walls.setdefault(imagen, DraftWall(imagen.cascade)).run(order.drafts)
            attach(run)
            for step in run:
                message = messages.step(step)
                if message is not None:
                    yield message
            rest = messages.flush()
            if rest is not None:
                yield rest
            yield messages.message("stopped") if run.closed else messages.finished()
        except Exception as error:
            yield messages.message("failed", text=sentence(error))

    return draw
