"""Train a stage of the bundled model, resumable, within a wall-clock budget.

python -m imagen_core.training base --minutes 120     a new budget, from the kept state if there is one
python -m imagen_core.training base                   go on with an interrupted budget
python -m imagen_core.training base --minutes 60 --initial assets/bundled      go on from weights alone
python -m imagen_core.training all --minutes 200      all three stages, the time shared 7 : 2 : 1
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from imagen_core.checkpoints import CheckpointError, bundled_folder, load_text_encoder
from imagen_core.imagen import Imagen
from imagen_core.shards import load_shards, read_manifest, save_shards, write_manifest
from imagen_core.text_encoder import TextEncoder
from imagen_core.training.config import CONFIGS
from imagen_core.training.corpus import Corpus, load_shard
from imagen_core.training.loop import Trainer, every
from imagen_core.training.sheet import PROMPTS, draw
from imagen_core.training.sprites import cache_folder, render_all

SHARES = {"base": 0.7, "sr256": 0.2, "sr1024": 0.1}


def _encoder() -> TextEncoder:
    return load_text_encoder(bundled_folder(), read_manifest(bundled_folder()))


def export(trainer: Trainer, folder: Path) -> None:
    """Write the averaged weights as float16 shards with their configuration, and the folder's manifest."""
    config = trainer.config
    header = {
        "stage": config.stage,
        "size": config.size,
        "prediction": config.prediction,
        "noise_schedule": trainer.schedule.name,
        "unet": config.unet.to_dict(),
        "trained_images": trainer.progress.images,
        "trained_seconds": round(trainer.progress.total_seconds),
    }
    tensors = {name: value.half() for name, value in trainer.averaged().items()}
    tensors["alphas_cumprod"] = trainer.schedule.alphas_cumprod
    write_manifest(folder, save_shards(tensors, folder, config.stage, header))


def train(stage: str, arguments: argparse.Namespace, minutes: float | None) -> None:
    """Train one stage and export it; a line of progress every few seconds, the state kept every two minutes."""
    config = CONFIGS[stage]
    folder = cache_folder()
    for done, total, path in render_all():
        if done == total or not path.exists():
            print(f"{done} of {total} sprites", flush=True)
    state = folder / "training" / f"{stage}.safetensors"
    trainer = Trainer(config, state, torch.device(arguments.device), getattr(torch, arguments.precision))
    if arguments.initial is not None and not state.exists():
        tensors, header = load_shards(arguments.initial, stage, read_manifest(arguments.initial))
        tensors.pop("alphas_cumprod")
        trainer.take_over(tensors, header["trained_images"], header["trained_seconds"])
        print(f"{stage}: goes on from the weights in {arguments.initial}", flush=True)
    if minutes is None and trainer.progress.budget <= 0:
        raise ValueError(f"give --minutes: {stage} has no earlier run whose budget could be used up.")
    if minutes is None and trainer.progress.elapsed >= trainer.progress.budget:
        print(f"{stage}: its budget is used up; give --minutes for another one.", flush=True)
        return
    encoder: list[TextEncoder] = []

    def lazily() -> TextEncoder:
        encoder.extend([] if encoder else [_encoder()])
        return encoder[0]

    arguments.output.mkdir(parents=True, exist_ok=True)  # not two minutes of training later, when it is written to
    corpus = Corpus([load_shard(config, index, folder / "corpus", lazily) for index in range(arguments.shards)])
    log = folder / "training" / f"{stage}.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)

    def report() -> None:
        line = trainer.progress
        rate = (line.images - seen[0]) / (time.monotonic() - seen[1])
        left = (line.budget - line.elapsed) / 60
        print(
            f"{stage}  {line.images:>8,} images  {rate:5.1f}/s  loss {line.loss:.4f}  {left:.1f} min left", flush=True
        )
        with log.open("a") as file:
            file.write(json.dumps(asdict(line)) + "\n")
        seen[:] = [line.images, time.monotonic()]

    def keep() -> None:
        trainer.save()
        export(trainer, arguments.output)

    seen: list[float] = [trainer.progress.images, time.monotonic()]
    shown, kept = every(10, report), every(120, keep)
    begun = trainer.progress.update
    try:
        for _ in trainer.run(corpus, minutes):
            if minutes is not None and trainer.progress.update == begun + 1:
                trainer.save()
                start(stage, folder / "training" / "plan.json")
            shown()
            kept()
    finally:
        if trainer.progress.update > begun:  # never a network that was not trained over one that was
            report()
            keep()
    sheet = folder / "training" / f"{stage}-{trainer.progress.images}.png"
    draw_sheet(arguments.output, stage, sheet)


def draw_sheet(model: Path, stage: str, path: Path) -> None:
    """Samples of the fixed prompts up to `stage`, where the model folder is complete so far."""
    try:
        imagen = Imagen.from_pretrained(str(model))
    except CheckpointError as error:
        print(f"no sheet of samples yet: {error}", flush=True)
        return
    draw(imagen, PROMPTS, stage).save(path)
    print(f"samples: {path}", flush=True)


def plan(stages: Sequence[str], minutes: float | None, path: Path) -> list[tuple[str, float | None]]:
    """Which stages to train for how long; None goes on with a stage's own budget.

    A new plan is written to `path`, from which `start` strikes a stage out, so that an interrupted run of several
    stages goes on with what is left.

    Raises:
        ValueError: a budget that is not above 0.
    """
    if minutes is not None:
        if not minutes > 0:
            raise ValueError(f"--minutes is {minutes:g}, it must be above 0.")
        total = sum(SHARES[stage] for stage in stages)
        waiting = {stage: minutes * SHARES[stage] / total for stage in stages}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(waiting), encoding="utf-8")
    waiting = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return [(stage, waiting.get(stage)) for stage in stages]


def start(stage: str, path: Path) -> None:
    """Strike a stage out of the plan: its budget is now in its own state."""
    waiting = json.loads(path.read_text(encoding="utf-8"))
    waiting.pop(stage, None)
    path.write_text(json.dumps(waiting), encoding="utf-8")


def main() -> int:
    """Read the command line and train; 1 with a sentence where that cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m imagen_core.training", description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=[*CONFIGS, "all"])
    parser.add_argument("--minutes", type=float, help="wall-clock budget; without it the kept state's is used up")
    parser.add_argument("--shards", type=int, default=4, help="shards of training pictures (default 4)")
    parser.add_argument("--threads", type=int, default=0, help="processor threads (default: torch's choice)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="as torch writes it")
    parser.add_argument(
        "--precision",
        choices=["bfloat16", "float32"],
        default="bfloat16",
        help="of the products; float32 is the quicker one on some processors",
    )
    parser.add_argument("--output", type=Path, default=bundled_folder(), help="model folder to export to")
    parser.add_argument("--initial", type=Path, help="model folder whose weights to go on from, where no state is kept")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    path = cache_folder() / "training" / "plan.json"
    try:
        for stage, minutes in plan(
            list(CONFIGS) if arguments.stage == "all" else [arguments.stage], arguments.minutes, path
        ):
            train(stage, arguments, minutes)
    except (ValueError, RuntimeError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
