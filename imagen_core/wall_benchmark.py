"""Measure a wall of drafts against single runs: `python -m imagen_core.wall_benchmark [--json FILE] [--threads N]`.

Both draw the same pictures at 64 pixels with the bundled model, in turn in one process. A single run is what Create
does with one image: batch 1, in the cascade's own number format, the prompt already encoded. The ratio is the median
over pairs of a wall and as many single runs as are timed, scaled to the wall's number of drafts.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from imagen_core.drafts import MAX_DRAFTS, Drafts
from imagen_core.figures import add_json_flag, write_figures

if TYPE_CHECKING:
    from imagen_core.imagen import Imagen

PROMPT = "a red apple on a wooden table"
STEPS = 12
SINGLES = 8  # single runs that are timed for every wall


def measure(imagen: Imagen, num_drafts: int, pairs: int) -> dict[str, Any]:
    """Seconds of a wall in each number format and of a single run, and how many times faster the wall is."""
    import torch

    from imagen_core.draft_wall import DraftWall

    recipe = replace(imagen.recipe(PROMPT), last_stage="base").updated({"base": {"num_steps": STEPS}})
    drafts = Drafts(recipe, num_drafts)
    chosen = DraftWall(imagen.cascade)
    float32 = DraftWall(imagen.cascade, torch.float32)
    imagen.generate(replace(recipe, seed=99))
    walls: list[float] = []
    exact: list[float] = []
    singles: list[float] = []
    chosen_format = chosen.number_format
    for _ in range(pairs):
        imagen.cascade.forget()
        walls.append(_seconds(lambda: list(chosen.run(drafts))))
        some = [drafts.recipe_of(draft) for draft in range(min(SINGLES, num_drafts))]
        singles.append(_seconds(lambda: [imagen.generate(one) for one in some]) / len(some))  # noqa: B023
        exact.append(_seconds(lambda: list(float32.run(drafts))))
    return {
        "drafts": num_drafts,
        "steps": STEPS,
        "threads": torch.get_num_threads(),
        "format": str(chosen_format),
        "wall_s": statistics.median(walls),
        "wall_float32_s": statistics.median(exact),
        "single_s": statistics.median(singles),
        "ratio": statistics.median(one * num_drafts / wall for one, wall in zip(singles, walls, strict=True)),
        "ratio_float32": statistics.median(one * num_drafts / wall for one, wall in zip(singles, exact, strict=True)),
    }


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Measure, print, write the JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m imagen_core.wall_benchmark", description="Time a wall of drafts and single runs in turn."
    )
    add_json_flag(parser)
    parser.add_argument("--drafts", type=int, default=MAX_DRAFTS, help="drafts of the wall (default 64)")
    parser.add_argument("--pairs", type=int, default=3, help="walls to time (default 3)")
    parser.add_argument("--threads", type=int, help="torch's threads (default: as many as it takes by itself)")
    arguments = parser.parse_args()
    if arguments.pairs < 1 or not 1 <= arguments.drafts <= MAX_DRAFTS:
        parser.error(f"--pairs must be at least 1, and --drafts 1 to {MAX_DRAFTS}")
    import torch

    from imagen_core.imagen import Imagen

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    figures = measure(Imagen.from_pretrained("bundled"), arguments.drafts, arguments.pairs)
    for name, value in figures.items():
        print(f"{name:16} {f'{value:.3f}' if isinstance(value, float) else value}", flush=True)
    if arguments.json:
        write_figures(figures, arguments.json)


if __name__ == "__main__":
    main()
