"""What word maps cost: `python -m imagen_core.word_maps_benchmark [--pairs N]` prints it for this machine.

The same recipe is drawn with and without them in turn, its events made into the page's messages, and each pair of runs
compared; other programs on the machine fall on both. The pictures are compared too.
"""

from __future__ import annotations

import argparse
import json
import time
from statistics import median

import torch
from torch import Tensor

from imagen_core.events import StageFinished
from imagen_core.imagen import Imagen
from imagen_core.recipe import Recipe
from imagen_core.ui.messages import Messages

PROMPT = "three blue stars above a green turtle on a beach, flat illustration"


def drawn(imagen: Imagen, recipe: Recipe, attention: bool) -> tuple[float, float, Tensor]:
    """Seconds by the clock and of the processor for a run whose every event becomes a message, and its picture."""
    imagen.cascade.forget()
    messages = Messages()
    started, worked = time.perf_counter(), time.process_time()
    for event in imagen.stream(recipe, attention=attention):
        messages.event(event)
        if isinstance(event, StageFinished):
            picture = event.x_0
    return time.perf_counter() - started, time.process_time() - worked, picture


def measure(imagen: Imagen, recipe: Recipe, pairs: int) -> dict[str, float | bool]:
    """Median seconds without maps, and the median of what they add to a run of a pair, as a share.

    The processor's own time counts no other program's, so on a busy machine it is the better figure.
    """
    drawn(imagen, recipe, True)
    without, added, worked, same = [], [], [], True
    for number in range(pairs):
        order = (False, True) if number % 2 else (True, False)  # so that a drift of the machine falls on both
        took = {attention: drawn(imagen, recipe, attention) for attention in order}
        without.append(took[False][0])
        added.append(took[True][0] / took[False][0] - 1)
        worked.append(took[True][1] / took[False][1] - 1)
        same = same and torch.equal(took[True][2], took[False][2])
    figures = {"seconds": round(median(without), 3), "maps_add": round(median(added), 4)}
    return figures | {"maps_add_processor": round(median(worked), 4), "pairs": pairs, "same_pixels": same}


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m imagen_core.word_maps_benchmark", description=__doc__)
    parser.add_argument("--pairs", type=int, default=9, metavar="N", help="pairs of runs (default 9)")
    pairs = max(1, parser.parse_args().pairs)
    imagen = Imagen.from_pretrained("bundled")
    print(json.dumps(measure(imagen, imagen.recipe(PROMPT, seed=7), pairs)))


if __name__ == "__main__":
    main()
