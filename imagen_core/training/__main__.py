"""Train a stage of the bundled model, resumable, within a wall-clock budget.

python -m imagen_core.training base --minutes 120     a new budget, from the kept state if there is one
python -m imagen_core.training base                   go on with an interrupted budget
python -m imagen_core.training all --minutes 200      all three stages, the time shared 7 : 2 : 1
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import torch

from imagen_core.checkpoints import bundled_folder, load_text_encoder
from imagen_core.shards import read_manifest, save_shards, write_manifest
from imagen_core.text_encoder import TextEncoder
from imagen_core.training.config import CONFIGS
from imagen_core.training.corpus import Corpus, load_shard
from imagen_core.training.loop import Trainer, every
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
    save_shards(tensors, folder, config.stage, header)
    write_manifest(folder)


def train(stage: str, arguments: argparse.Namespace, minutes: float | None) -> None:
    """Train one stage and export it; a line of progress every few seconds, the state kept every two minutes."""
    config = CONFIGS[stage]
    folder = cache_folder()
    for done, total, path in render_all():
        if done == total or not path.exists():
            print(f"{done} of {total} sprites", flush=True)
    trainer = Trainer(config, folder / "training" / f"{stage}.safetensors")
    encoder: list[TextEncoder] = []

    def lazily() -> TextEncoder:
        encoder.extend([] if encoder else [_encoder()])
        return encoder[0]

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
    try:
        for _ in trainer.run(corpus, minutes):
            shown()
            kept()
    finally:
        report()
        keep()


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m imagen_core.training", description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=[*CONFIGS, "all"])
    parser.add_argument("--minutes", type=float, help="wall-clock budget; without it the kept state's is used up")
    parser.add_argument("--shards", type=int, default=4, help="shards of training pictures (default 4)")
    parser.add_argument("--threads", type=int, default=0, help="processor threads (default: torch's choice)")
    parser.add_argument("--output", type=Path, default=bundled_folder(), help="model folder to export to")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    for stage in CONFIGS if arguments.stage == "all" else [arguments.stage]:
        share = SHARES[stage] if arguments.stage == "all" else 1.0
        train(stage, arguments, arguments.minutes * share if arguments.minutes else None)


if __name__ == "__main__":
    main()
