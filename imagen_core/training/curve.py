"""The loss of each stage over the pictures it saw, drawn from the logs: `python -m imagen_core.training.curve`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from imagen_core.training.config import CONFIGS
from imagen_core.training.sprites import cache_folder


def read(log: Path) -> list[tuple[int, float]]:
    """(pictures seen, loss) of a training log, in order; what a run repeated after an interruption comes once."""
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    points: list[tuple[int, float]] = []
    for row in rows:
        while points and points[-1][0] >= row["images"]:
            points.pop()
        points.append((row["images"], row["loss"]))
    return points


def plot(curves: dict[str, list[tuple[int, float]]], path: Path) -> None:
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
    arguments = parser.parse_args()
    logs = {stage: arguments.logs / f"{stage}.jsonl" for stage in CONFIGS}
    curves = {stage: read(log) for stage, log in logs.items() if log.exists()}
    if not curves:
        parser.error(f"{arguments.logs} holds no log of a training run")
    plot(curves, arguments.output)


if __name__ == "__main__":
    main()
