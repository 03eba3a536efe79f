"""Figures as pictures, for the model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imagen_core.training.prompts import SPLITS

_INK = {"seen": "#2b6cb0", "held_out": "#dd6b20"}


def plot_tasks(figures: Mapping[str, Any], path: Path) -> None:
    """A bar a task and split with its 95 % interval; the ceiling as a line above, the floor as one below."""
    from matplotlib.figure import Figure

    tasks = figures["tasks"]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    for offset, split in zip((-0.2, 0.2), SPLITS, strict=True):
        scores = [tasks[task][split] for task in tasks]
        places = [index + offset for index in range(len(tasks))]
        heights = [score["accuracy"] for score in scores]
        below = [height - score["low"] for height, score in zip(heights, scores, strict=True)]
        above = [score["high"] - height for height, score in zip(heights, scores, strict=True)]
        label = f"{split.replace('_', ' ')} combinations"
        axes.bar(places, heights, 0.38, yerr=(below, above), capsize=3, color=_INK[split], label=label)
    for name, grey in (("ceiling", "0.0"), ("floor", "0.6")):
        shares = [figures[name][task] or 0.0 for task in tasks]
        starts = [index - 0.42 for index in range(len(tasks))]
        axes.hlines(shares, starts, [start + 0.84 for start in starts], grey, label=name)
    axes.set_xticks(range(len(tasks)), [task.replace("_", "\n") for task in tasks])
    axes.set_ylim(0, 1.05)
    axes.set_ylabel("share of pictures that are right")
    axes.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    figure.savefig(path, dpi=120)


def plot_sweep(rows: Sequence[Mapping[str, Any]], name: str, path: Path) -> None:
    """The share of right pictures over guidance, or over steps with a line for each scheduler."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    across = "guidance_scale" if name == "guidance" else "num_steps"
    for scheduler in dict.fromkeys(row.get("scheduler", "") for row in rows):
        mine = [row for row in rows if row.get("scheduler", "") == scheduler]
        shares = [row["accuracy"] for row in mine]
        spread = ([row["accuracy"] - row["low"] for row in mine], [row["high"] - row["accuracy"] for row in mine])
        axes.errorbar([row[across] for row in mine], shares, spread, marker="o", capsize=3, label=scheduler or None)
    if name == "steps":
        axes.set_xscale("log")
        axes.set_xticks([4, 8, 12, 20, 50], ["4", "8", "12", "20", "50"])
        axes.minorticks_off()
        axes.legend(frameon=False)
    axes.set_ylim(0, 1.05)
    axes.set_xlabel(across.replace("_", " "))
    axes.set_ylabel("share of pictures that are right")
    figure.savefig(path, dpi=120)
