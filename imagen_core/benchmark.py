"""Measure what a person waits for: `python -m imagen_core.benchmark [--json FILE]`.

Every figure is the median of several runs on this machine. What streaming costs is measured in pairs, in turn: a
recipe drawn by the page for a visitor without a browser, who receives every message over HTTP in another process, and
the same recipe drawn in the same thread without a consumer, both up to the end of the last stage. A picture's time
goes on to the finished PNG. What a browser on the same machine takes for itself to show the pictures is not in it.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagen_core.figures import add_json_flag, write_figures
from imagen_core.page_process import page
from imagen_core.sampling_thread import done_there
from imagen_core.visitor import Arrival, Press, new_session, press_generate, visitor

if TYPE_CHECKING:
    from imagen_core.imagen import Imagen

PROMPT = "a red apple on a wooden table"
_REST = 0.1  # seconds before each picture: the page is at rest when a person presses Generate


def measure_page(runs: int) -> Iterator[tuple[str, float]]:
    """Yield (name, value) of what is measured on the page's own process: one picture each time."""
    ready, first = [], []
    for _ in range(runs):
        with page() as (address, seconds):
            ready.append(seconds)
            first.append([arrival.seconds for arrival in press_generate(address, {"prompt": PROMPT})][-1])
    yield "page_ready_s", statistics.median(ready)
    yield "first_picture_after_start_s", statistics.median(first)
    import resource  # here, because Windows has none, and the other measurements need none

    # The largest of the processes that were waited for; Linux counts in kB, macOS in bytes.
    unit = 1024**2 if sys.platform == "darwin" else 1024
    yield "peak_memory_mb", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit


@dataclass(frozen=True)
class Pair:
    """One recipe drawn twice: streamed by the page to a visitor, and without a consumer. Seconds.

    `streamed` and `silent` end with the last stage, `picture` with the finished PNG.
    """

    first_preview: float
    streamed: float
    picture: float
    silent: float
    stages: dict[str, float]
    steps: dict[str, int]


def draw_pair(imagen: Imagen, press: Press, index: int) -> Pair:
    """Draw both; which comes first alternates. Each has a seed of its own, so that no stage comes from the cache.

    All pictures of the page are for the visitor that `press` is, whom it has met.
    """
    seeds = {"visited": 1 + 2 * index, "alone": 2 + 2 * index}
    order = ("visited", "alone") if index % 2 == 0 else ("alone", "visited")
    arrivals: list[Arrival] = []
    silent = Silent(0.0, {}, {})
    for half in order:
        time.sleep(_REST)
        if half == "visited":
            arrivals = press({"prompt": PROMPT, "seed": seeds[half]})
        else:
            silent = done_there(lambda: draw_silent(imagen, seeds["alone"]))
    at = {arrival.kind: arrival.seconds for arrival in arrivals}  # the last of each kind
    first = next(arrival.seconds for arrival in arrivals if arrival.kind == "step")
    return Pair(first, at["step"], at["finished"], silent.seconds, silent.stages, silent.steps)


@dataclass(frozen=True)
class Silent:
    """A run without a consumer: seconds in all, seconds and steps of each stage."""

    seconds: float
    stages: dict[str, float]
    steps: dict[str, int]


def draw_silent(imagen: Imagen, seed: int) -> Silent:
    """Draw the default recipe and do nothing with its events."""
    from imagen_core.events import StageFinished, StageStarted

    stages: dict[str, float] = {}
    steps: dict[str, int] = {}
    started = time.perf_counter()
    for event in imagen.stream(imagen.recipe(PROMPT, seed)):
        if isinstance(event, StageStarted):
            steps[event.stage] = event.num_steps
        elif isinstance(event, StageFinished):
            stages[event.stage] = event.seconds
    return Silent(time.perf_counter() - started, stages, steps)


def measure_pictures(imagen: Imagen, runs: int) -> Iterator[tuple[str, Any]]:
    """Yield (name, value) of what is measured on a loaded model."""
    yield "encode_prompt_ms", done_there(lambda: encoding_seconds(imagen)) * 1000

    from imagen_core.ui.demo import build
    from imagen_core.ui.model import BackgroundModel, Models
    from imagen_core.ui.serving import Place, launch

    model = BackgroundModel(lambda: imagen)
    model.get()
    done_there(imagen.warm_up)
    blocks = build(Models(imagen.name, {imagen.name: model}), default=imagen.recipe())
    address = launch(blocks, Place(host="127.0.0.1"))
    try:
        with visitor(address, new_session()) as press:
            press({"prompt": PROMPT, "seed": 0})  # what gradio does once only
            pairs = [draw_pair(imagen, press, index) for index in range(runs)]
    finally:
        blocks.close(verbose=False)
    yield "first_preview_s", statistics.median(pair.first_preview for pair in pairs)
    yield "picture_s", statistics.median(pair.picture for pair in pairs)
    yield "streaming_share", statistics.median(pair.streamed / pair.silent - 1 for pair in pairs)
    stages = {}
    for name, steps in pairs[0].steps.items():
        seconds = statistics.median(pair.stages[name] for pair in pairs)
        stages[name] = {"ms_per_step": seconds * 1000 / steps, "steps": steps}
    yield "stages", stages


def encoding_seconds(imagen: Imagen) -> float:
    """The median of how long new prompts take to be encoded."""
    encoder = imagen.cascade.text_encoder
    encoder.encode("a word to warm up")
    times = []
    for index in range(10):
        started = time.perf_counter()
        encoder.encode(f"{PROMPT} {index}")
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def machine(imagen: Imagen) -> dict[str, Any]:
    """What the figures were measured on."""
    import torch

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": str(imagen.cascade.device),
        "format": str(next(imagen.cascade.stages["base"].unet.parameters()).dtype),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def measure(runs: int) -> Iterator[tuple[str, Any]]:
    """Yield (name, value) as soon as it is measured; times in the units of their names."""
    from imagen_core.ui.model import BackgroundModel, pretrained

    yield from measure_page(min(runs, 3))
    model = BackgroundModel(lambda: pretrained("bundled", print))
    list(model.load())  # in a thread of its own, as the page does
    imagen = model.get()
    yield from measure_pictures(imagen, runs)
    yield "machine", machine(imagen)


def _processor() -> str:
    """The processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def main() -> None:
    """Measure, print a table, write the JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m imagen_core.benchmark", description="Measure what a person waits for."
    )
    add_json_flag(parser)
    parser.add_argument("--runs", type=int, default=9, help="pairs of pictures (default 9)")
    parser.add_argument("--against", choices=["diffusers"], help="time its pipelines and ours in turn instead")
    arguments = parser.parse_args()
    if arguments.runs < 1:
        parser.error("--runs must be at least 1")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before gradio is imported
    from imagen_core.parity_benchmark import against_diffusers

    figures: dict[str, Any] = {}
    for name, value in against_diffusers(arguments.runs) if arguments.against else measure(arguments.runs):
        figures[name] = value
        if isinstance(value, dict):
            for key, part in value.items():
                print(f"{name + '.' + key:24} {part}", flush=True)
        else:
            print(f"{name:24} {f'{value:.3f}' if isinstance(value, float) else value}", flush=True)
    if arguments.json:
        write_figures(figures, arguments.json)


if __name__ == "__main__":
    main()
