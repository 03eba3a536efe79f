"""The same accuracy for several settings of the base stage, so that the default recipe is chosen by measurement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from imagen_core.imagen import Imagen
from imagen_core.recipe import SCHEDULERS
from imagen_core.training.drawing import Drawing, draw
from imagen_core.training.scores import Score

SWEEPS: dict[str, list[dict[str, object]]] = {
    "guidance": [{"guidance_scale": scale} for scale in (1.0, 2.0, 4.0, 7.0, 10.0)],
    "steps": [{"scheduler": scheduler, "num_steps": steps} for scheduler in SCHEDULERS for steps in (4, 8, 12, 20, 50)],
}


def sweep(
    imagen: Imagen,
    name: str,
    asked: Sequence[Drawing],
    base: Mapping[str, object],
    judge: Callable[[Tensor], dict[str, Any]],
) -> list[dict[str, Any]]:
    """One row for each setting of SWEEPS[name] that `base` leaves open.

    A row holds the setting, the share of right pictures of all drawings with its interval, and the shares by task.
    """
    rows = []
    for setting in SWEEPS[name]:
        if setting.get("scheduler", base.get("scheduler")) != base.get("scheduler", setting.get("scheduler")):
            continue
        print(", ".join(f"{key} {value}" for key, value in setting.items()), flush=True)
        tasks = judge(draw(imagen, asked, {**base, **setting}))["tasks"]
        scores = [part for splits in tasks.values() for part in splits.values()]
        right = round(sum(part["accuracy"] * part["n"] for part in scores))
        rows.append({**setting, **Score(right, len(asked)).to_dict(), "tasks": tasks})
    return rows
