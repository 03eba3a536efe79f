"""Accuracy by task and split, of drawn pictures and of real ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from imagen_core.training.detector import Detector
from imagen_core.training.drawing import Drawing, drawings, real
from imagen_core.training.prompts import SPLITS
from imagen_core.training.scores import floor, mean, score

_CEILING_PICTURES = 100  # real renders a task and split, at least


def judge(asked: Sequence[Drawing], pictures: Tensor, detector: Detector) -> dict[str, Any]:
    """Scores by task and split, floors by task, of pictures (n, 3, 64, 64)."""
    seen = [reading for start in range(0, len(pictures), 64) for reading in detector.read(pictures[start : start + 64])]
    rows = list(zip(asked, seen, strict=True))
    tasks: dict[str, dict[str, Any]] = {}
    floors: dict[str, float | None] = {}
    for task in dict.fromkeys(drawing.task for drawing in asked):
        tasks[task] = {}
        for split in dict.fromkeys(drawing.split for drawing in asked):
            mine = [
                (drawing.prompt, reading) for drawing, reading in rows if (drawing.task, drawing.split) == (task, split)
            ]
            tasks[task][split] = score(*zip(*mine, strict=True)).to_dict()
        all_of_it = [(drawing.prompt, reading) for drawing, reading in rows if drawing.task == task]
        floors[task] = floor(*zip(*all_of_it, strict=True))
    return {"tasks": tasks, "floor": floors}


def ceiling(tasks: Sequence[str], samples: int, seed: int, detector: Detector) -> dict[str, float]:
    """How often the detector is right on real renders of such prompts, by task."""
    shares = {}
    for task in tasks:
        asked = drawings([task], SPLITS, max(samples, _CEILING_PICTURES), seed)
        judged = judge(asked, real(asked, 64, random.Random(f"ceiling {seed}")), detector)
        shares[task] = mean([judged["tasks"][task][split]["accuracy"] for split in SPLITS])
        print(f"ceiling of {task}: {shares[task]:.3f}", flush=True)
    return shares
