"""A wall's events as small messages: the newest step of the drafts that moved, as one picture of all of them.

A sheet is smaller and quicker to make than its tiles one by one, and noise takes several times the bytes as PNG. The
last step is sent as PNG all the same, because the page enlarges its pixels.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imagen_core.drafts import Drafts
from imagen_core.recipe import SIZES, Recipe
from imagen_core.ui.messages import INTERVAL, Message, Messages, data_uri, png

if TYPE_CHECKING:
    from torch import Tensor

    from imagen_core.draft_wall import DraftStep

COLUMNS = 8  # of a sheet
_QUALITY = 80  # of a JPEG on the way


class DraftMessages:
    """The messages of one wall, or of the promotion of some of its drafts, in their order."""

    def __init__(self) -> None:
        self._messages = Messages()
        self._sent_at = 0.0
        self._began = time.monotonic()
        self._waiting: dict[int, DraftStep] = {}

    def message(self, kind: str, **values: object) -> Message:
        """One message of this run."""
        return self._messages.message(kind, **values)

    def begun(self, drafts: Drafts) -> Message:
        """The first of a wall: the seed, prompt and link of every draft."""
        recipes = [drafts.recipe_of(draft) for draft in range(drafts.num_drafts)]
        return self.message("begun", drafts=[told(recipe) for recipe in recipes])

    def step(self, step: DraftStep) -> Message | None:
        """The drafts that moved since the last message, at least INTERVAL after it."""
        self._waiting |= dict.fromkeys(step.drafts, step)
        return self.flush() if time.monotonic() - self._sent_at >= INTERVAL else None

    def flush(self) -> Message | None:
        """What was held back, if anything."""
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return None
        self._sent_at = time.monotonic()
        places = {draft: step.drafts.index(draft) for draft, step in waiting.items()}
        exact = any(step.step == step.num_steps for step in waiting.values())
        return self.message(
            "drafts",
            drafts=list(waiting),
            steps=[step.step for step in waiting.values()],
            num_steps=next(iter(waiting.values())).num_steps,
            refused=[draft for draft, step in waiting.items() if step.refused[places[draft]]],
            columns=COLUMNS,
            sheet=sheet([step.x_0[places[draft]] for draft, step in waiting.items()], exact),
        )

    def promoted_step(self, picture: int, step: Message) -> Message:
        """A preview of a picture that is promoted, from the "step" of its own run."""
        values = {name: step[name] for name in ("stage", "step", "num_steps")}
        return self.message("promoted_step", picture=picture, x_0=step["x_0"][0], size=SIZES[step["stage"]], **values)

    def promoted(self, picture: int, size: int, file: Message) -> Message:
        """A promoted picture is finished."""
        return self.message("promoted", picture=picture, size=size, file=file)

    def finished(self) -> Message:
        """The last."""
        return self.message("finished", seconds=time.monotonic() - self._began)


def told(recipe: Recipe) -> Message:
    """What the page knows of a picture's recipe."""
    seed = recipe.seed if recipe.variation_seed is None else recipe.variation_seed
    return {"seed": seed, "prompt": recipe.prompt, "link": recipe.to_link()}


def sheet(pictures: Sequence[Tensor], exact: bool) -> str:
    """Pictures (3, 64, 64) in rows of `COLUMNS`, as the data URI of a PNG or, where not `exact`, of a JPEG."""
    import torch

    from imagen_core.images import to_jpeg, to_pil

    height, width = pictures[0].shape[1:]
    columns = min(COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    joined = torch.zeros(3, rows * height, columns * width)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        top, left = row * height, column * width
        joined[:, top : top + height, left : left + width] = picture
    if exact:
        return data_uri("png", png(to_pil(joined[None])[0]))
    return data_uri("jpeg", to_jpeg(joined, max(joined.shape), _QUALITY))
