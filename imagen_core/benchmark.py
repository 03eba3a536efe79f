"""Measure what a person waits for: `python -m imagen_core.benchmark [--json FILE]`.

Every figure is the median of several runs on this machine. What streaming costs is measured in pairs: a run whose
events become the page's messages, encoded to JSON as they are sent, and the same run without a consumer, in turn. The
time that gradio's queue and the network add is not in it; the sampler does not wait for the network.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagen_core.imagen import Imagen
    from imagen_core.recipe import Recipe

PROMPT = "a red apple on a wooden table"
PAGE_TIMEOUT = 120.0
_MEMORY_PROBE = """
import resource
from imagen_core import Imagen
Imagen.from_pretrained("bundled").generate_image("a red apple on a wooden table")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def page_ready_seconds() -> float:
    """Seconds from `python app.py` to a page that answers.

    Raises:
        RuntimeError: it did not answer in time, or ended.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = Path(__file__).resolve().parent.parent
    started = time.monotonic()
    command = [sys.executable, str(root / "app.py"), "--port", str(port)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as page:
        try:
            while time.monotonic() - started < PAGE_TIMEOUT:
                if page.poll() is not None:
                    raise RuntimeError(f"the page ended with exit code {page.returncode} before it answered.")
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                        if answer.status == 200:
                            return time.monotonic() - started
                except (urllib.error.URLError, OSError):
                    time.sleep(0.05)
            raise RuntimeError(f"the page did not answer within {PAGE_TIMEOUT:.0f} seconds.")
        finally:
            page.terminate()


def peak_memory_mb() -> float:
    """Peak resident memory, in MB, of a fresh process that draws one picture with the default recipe."""
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-c", _MEMORY_PROBE]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    return float(done.stdout.split()[-1])


@dataclass(frozen=True)
class Pair:
    """One recipe drawn twice: streamed to the page's messages, and without a consumer. Seconds."""

    first_preview: float
    streamed: float
    silent: float
    stages: dict[str, float]
    steps: dict[str, int]


def draw_pair(imagen: Imagen, recipe: Recipe, index: int) -> Pair:
    """Draw both; which comes first alternates. Each has a seed of its own, so that no stage comes from the cache."""
    from imagen_core.events import Preview, StageFinished
    from imagen_core.ui.messages import Messages

    first_preview, seconds = 0.0, {True: 0.0, False: 0.0}
    stages: dict[str, float] = {}
    steps: dict[str, int] = {}
    for streaming in (index % 2 == 0, index % 2 == 1):
        messages = Messages()
        started = time.perf_counter()
        for event in imagen.stream(replace(recipe, seed=1 + 2 * index + streaming)):
            if streaming:
                json.dumps(messages.event(event))
                if isinstance(event, Preview) and not first_preview:
                    first_preview = time.perf_counter() - started
            elif isinstance(event, StageFinished):
                stages[event.stage] = event.seconds
            elif isinstance(event, Preview):
                steps[event.stage] = event.num_steps
        seconds[streaming] = time.perf_counter() - started
    return Pair(first_preview, seconds[True], seconds[False], stages, steps)


def measure_pictures(imagen: Imagen, runs: int) -> Iterator[tuple[str, Any]]:
    """Yield (name, value) of what is measured on a loaded model."""
    encoder = imagen.cascade.text_encoder
    encoder.encode("a word to warm up")
    times = []
    for index in range(10):
        started = time.perf_counter()
        encoder.encode(f"{PROMPT} {index}")
        times.append(time.perf_counter() - started)
    yield "encode_prompt_ms", statistics.median(times) * 1000

    recipe = imagen.recipe(PROMPT)
    imagen.warm_up()
    pairs = [draw_pair(imagen, recipe, index) for index in range(runs)]
    yield "first_preview_s", statistics.median(pair.first_preview for pair in pairs)
    yield "picture_s", statistics.median(pair.streamed for pair in pairs)
    yield "streaming_share", statistics.median(pair.streamed / pair.silent - 1 for pair in pairs)
    stages = {}
    for name, steps in pairs[0].steps.items():
        seconds = statistics.median(pair.stages[name] for pair in pairs)
        stages[name] = {"ms_per_step": seconds * 1000 / steps, "steps": steps}
    yield "stages", stages


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
    from imagen_core.imagen import Imagen

    yield "page_ready_s", statistics.median(page_ready_seconds() for _ in range(min(runs, 3)))
    yield "peak_memory_mb", statistics.median(peak_memory_mb() for _ in range(min(runs, 3)))
    imagen = Imagen.from_pretrained("bundled")
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
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--runs", type=int, default=5, help="pairs of pictures (default 5)")
    arguments = parser.parse_args()
    if arguments.runs < 1:
        parser.error("--runs must be at least 1")
    figures: dict[str, Any] = {}
    for name, value in measure(arguments.runs):
        figures[name] = value
        if isinstance(value, dict):
            for key, part in value.items():
                print(f"{name + '.' + key:24} {part}", flush=True)
        else:
            print(f"{name:24} {value:.3f}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
