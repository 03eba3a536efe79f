"""The loss of each stage over the pictures it saw, drawn from the logs: `python -m imagen_core.training.curve`.

Logs lie in a cache folder and may be lost with it, so with `--kept` their points are kept in a file beside the weights,
to which later runs add theirs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from imagen_core.training.config import CONFIGS
from imagen_core.training.sprites import cache_folder

Point: TypeAlias = tuple[int, float]  # pictures seen, loss


def read(log: Path) -> list[Point]:
    """(pictures seen, loss) of a training log, in order; what a run repeated after an interruption comes once."""
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return joined([(row["images"], row["loss"]) for row in rows])


def joined(points: Sequence[Point]) -> list[Point]:
    """Points in the order of their writing to points in the order of the pictures: what came later holds."""
    kept: list[Point] = []
    for point in points:
        while kept and kept[-1][0] >= point[0]:
            kept.pop()
        kept.append(point)
    return kept


def thinned(points: Sequence[Point], apart: int) -> list[Point]:
    """The first and the last point, and between them such that are at least so many pictures apart."""
    chosen = list(points[:1])
    for point in points[1:]:
        if point[0] - chosen[-1][0] >= apart or point is points[-1]:
            chosen.append(point)
    return chosen


def plot(curves: dict[str, list[Point]], path: Path) -> None:
    """One panel a stage; the loss on a logarithmic axis, the first twentieth of the pictures left out."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.6), layout="constrained")
    for axes, (stage, points) in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves.items(), strict=True):
        shown = [point for point in points if point[0] >= points[-1][0] / 20]
        axes.semilogy(
            [images / 1000 for images, _ in shown], [loss for _, loss in shown], color="#2b6cb0", linewidth=1.2
        )
        low, high = min(loss for _, loss in shown), max(loss for _, loss in shown)
        axes.set_yticks(ticks := [low, (low * high) ** 0.5, high], [f"{tick:.3f}" for tick in ticks])
        axes.minorticks_off()
        axes.set_title(f"{stage}: loss {points[-1][1]:.4f} at {points[-1][0]:,}", fontsize=10)
        axes.set_xlabel("thousand pictures")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Draw the curves of the stages that have a log."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logs", type=Path, default=cache_folder() / "training", help="folder of the logs")
    parser.add_argument("--output", type=Path, default=Path("loss.png"))
    parser.add_argument("--kept", type=Path, help="JSON file of points that are kept; those of the logs are added")
    arguments = parser.parse_args()
    logs = {stage: arguments.logs / f"{stage}.jsonl" for stage in CONFIGS}
    curves = {stage: read(log) for stage, log in logs.items() if log.exists()}
    if arguments.kept:
        if arguments.kept.exists():
            earlier = json.loads(arguments.kept.read_text(encoding="utf-8"))
            for stage, points in earlier.items():
                curves[stage] = joined([*((images, loss) for images, loss in points), *curves.get(stage, [])])
        thin = {stage: thinned(points, 32 * CONFIGS[stage].batch) for stage, points in curves.items()}
        arguments.kept.write_text(json.dumps(thin) + "\n", encoding="utf-8")
    if not curves:
        parser.error(f"{arguments.logs} holds no log of a training run")
    plot(curves, arguments.output)


if __name__ == "__main__":
    main()
