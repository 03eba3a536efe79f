"""Does the model draw what the prompt says? Figures that anyone can reproduce with one command.

    python -m imagen_core.training.evaluate --samples 20 --json figures.json --plot figures.png
    python -m imagen_core.training.evaluate --sweep guidance --samples 5 --json guidance.json --plot guidance.png

A picture is right where a detector, trained on real renders alone, finds every clause of its prompt true. Beside each
share stand the ceiling, the same on real renders, and the floor, the same with the prompts of other pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imagen_core.checkpoints import CheckpointError, bundled_folder
from imagen_core.figures import add_json_flag, write_figures
from imagen_core.imagen import Imagen
from imagen_core.recipe import SCHEDULERS, STAGES, THRESHOLDINGS, RecipeError
from imagen_core.shards import load_shards, read_manifest
from imagen_core.training.accuracy import ceiling, judge
from imagen_core.training.detector import Detector
from imagen_core.training.detector_training import kept_detector
from imagen_core.training.drawing import Drawing, draw, drawings, real
from imagen_core.training.fid import distance, inception
from imagen_core.training.lpips import lpips
from imagen_core.training.plots import plot_sweep, plot_tasks
from imagen_core.training.prompts import SPLITS, TASKS
from imagen_core.training.scores import mean
from imagen_core.training.sprites import cache_folder, render_all
from imagen_core.training.super_resolution import super_resolution
from imagen_core.training.sweep import SWEEPS, sweep


def frechet(asked: Sequence[Drawing], pictures: Tensor, features: Callable[[Tensor], Tensor]) -> dict[str, float]:
    """FID of drawn pictures to real ones of the same prompts, and of those to other real ones."""
    size = pictures.shape[2]
    drawn = features(pictures)
    first, second = (features(real(asked, size, random.Random(f"fid {number}"))) for number in range(2))
    return {"fid": distance(drawn, first), "fid_noise_floor": distance(second, first)}


def evaluate(imagen: Imagen, detector: Detector, arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures but those of the sweeps."""
    asked = drawings(arguments.tasks, SPLITS, arguments.samples, arguments.seed)
    pictures = draw(imagen, asked, base_changes(arguments), arguments.last_stage)
    small = torch.nn.functional.adaptive_avg_pool2d(pictures, 64)
    judged = judge(asked, small, detector)
    figures: dict[str, Any] = {
        **judged,
        "ceiling": ceiling(arguments.tasks, arguments.samples, arguments.seed, detector),
        "overall": {
            split: mean([scores[split]["accuracy"] for scores in judged["tasks"].values()]) for split in SPLITS
        },
        "fid": None,
        "fid_noise_floor": None,
        "fid_pictures": len(asked),
        "super_resolution": None,
        "missing": [],
    }
    folder = cache_folder() / "wheels"
    try:
        figures |= frechet(asked, pictures, inception(folder))
    except (RuntimeError, OSError) as error:
        figures["missing"].append(f"FID: {error}")
    if arguments.enlargements:
        try:
            looks = lpips(folder)
        except (RuntimeError, OSError) as error:
            looks = None
            figures["missing"].append(f"LPIPS: {error}")
        figures["super_resolution"] = super_resolution(imagen, arguments.enlargements, looks)
    return figures


def base_changes(arguments: argparse.Namespace) -> dict[str, object]:
    """What the command line changes in the base stage's default recipe."""
    names = ("guidance_scale", "thresholding", "num_steps", "scheduler")
    return {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}


def trained(folder: Path) -> dict[str, dict[str, object]]:
    """How long each stage's weights in a model folder were trained, as their shards tell."""
    manifest = read_manifest(folder)
    told = {stage: load_shards(folder, stage, manifest)[1] for stage in STAGES}
    return {
        stage: {name: value for name, value in config.items() if name.startswith("trained_")}
        for stage, config in told.items()
    }


def described(imagen: Imagen, arguments: argparse.Namespace) -> dict[str, Any]:
    """What was measured, with which settings, on what."""
    folder = bundled_folder() if arguments.model == "bundled" else Path(arguments.model)
    recipe = imagen.recipe().updated({"base": base_changes(arguments), "last_stage": arguments.last_stage})
    return {
        "model": {
            "name": arguments.model,
            "samples": arguments.samples,
            "seed": arguments.seed,
            "recipe": recipe.to_dict(),
            "stages": trained(folder),
        },
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "device": str(imagen.cascade.device),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m imagen_core.training.evaluate", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--model", default="bundled", help="preset or model folder")
    parser.add_argument("--samples", type=int, default=20, help="pictures of each task and split (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="of prompts and pictures (default 0)")
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS), help="default: all")
    parser.add_argument("--guidance-scale", type=float, help="of the base stage (default: the default recipe's)")
    parser.add_argument("--thresholding", choices=THRESHOLDINGS, help="of the base stage")
    parser.add_argument("--num-steps", type=int, help="of the base stage")
    parser.add_argument(
        "--scheduler", choices=SCHEDULERS, help="of the base stage; with --sweep steps the only one tried"
    )
    parser.add_argument("--last-stage", choices=STAGES, default="base", help="where drawing ends (default base)")
    parser.add_argument(
        "--enlargements", type=int, default=8, help="pictures for super-resolution, 0 for none (default 8)"
    )
    parser.add_argument("--sweep", choices=list(SWEEPS), help="measure for several settings instead")
    add_json_flag(parser)
    parser.add_argument("--plot", type=Path, help="draw the figures to this PNG")
    arguments = parser.parse_args(words)
    if arguments.samples < 1 or not 0 <= arguments.seed < 10_000 or arguments.enlargements < 0:
        parser.error("--samples must be 1 or more, --seed 0 to 9999, --enlargements 0 or more")
    return arguments


def main(words: Sequence[str] | None = None) -> int:
    """Evaluate and print, write or plot the figures; 1 with a sentence where that cannot be done."""
    arguments = parsed(words)
    try:
        imagen = Imagen.from_pretrained(arguments.model)
        for _ in render_all():
            pass
        detector = kept_detector()
        if arguments.sweep:
            asked = drawings(arguments.tasks, SPLITS[:1], arguments.samples, arguments.seed)
            rows = sweep(
                imagen, arguments.sweep, asked, base_changes(arguments), lambda part: judge(asked, part, detector)
            )
            figures = {arguments.sweep: rows}
        else:
            figures = evaluate(imagen, detector, arguments)
    except (CheckpointError, RecipeError, RuntimeError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    figures |= described(imagen, arguments)
    print(json.dumps(figures, indent=1))
    if arguments.json:
        write_figures(figures, arguments.json)
    if arguments.plot and arguments.sweep:
        plot_sweep(figures[arguments.sweep], arguments.sweep, arguments.plot)
    elif arguments.plot:
        plot_tasks(figures, arguments.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
