"""Several recipes drawn together, for the page: messages with the place of the recipe that they are about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from imagen_core.events import StageFinished
from imagen_core.recipe import Recipe
from imagen_core.sampling_thread import Attach, Work
from imagen_core.ui.drawing import failure
from imagen_core.ui.messages import Message, Messages, Shown
from imagen_core.ui.model import BackgroundModel

CELL = 256  # pixels a side at most of a picture that is one of many on the page


@dataclass(frozen=True)
class Together:
    """Recipes of one model, of one image each; at least one."""

    recipes: tuple[Recipe, ...]

    @property
    def recipe(self) -> Recipe:
        """The first, which stands for all where an accelerator is lent: there they come one by one."""
        return self.recipes[0]


def drawing_together(models: Mapping[str, BackgroundModel]) -> Work[Together, Message]:
    """The generator function that draws them with one of `models`, a step of each in turn.

    Its messages are those of a run, with the recipe's `place` and without x_t; a "finished" one has a file with the
    "picture". The last may be "stopped" or "failed", which are about all.
    """

    def draw(order: Together, attach: Attach) -> Iterator[Message]:
        from imagen_core.images import to_pil

        recipes, shown = order.recipes, Shown(CELL, noisy=False, among=len(order.recipes))
        told = [Messages(shown) for _ in recipes]
        try:
            run = models[order.recipe.model].get().stream_together(recipes)
            attach(run)
            for place, event in run:
                message = told[place].event(event)
                if message is not None:
                    yield message | {"place": place}
                if isinstance(event, StageFinished) and event.stage == recipes[place].last_stage:
                    [picture] = to_pil(event.x_0)
                    yield told[place].finished(event.stage, [{"picture": picture}]) | {"place": place}
            if run.closed:
                yield told[0].message("stopped")
        except Exception as error:
            yield failure(told[0], error)

    return draw
