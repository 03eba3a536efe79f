"""Is what the model draws recognised? A classifier trained on real renders names the thing in drawn pictures.

    python -m imagen_core.training.recognise --samples 2 --json recognised.json

Beside the share of right answers stand its ceiling, the same on real renders that the classifier has not seen, and its
floor, the share by chance. One object, plain backgrounds, the 64-pixel stage.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagen_core.events import StageFinished
from imagen_core.imagen import Imagen
from imagen_core.training.backgrounds import PLAIN
from imagen_core.training.config import CONFIGS
from imagen_core.training.corpus import picture
from imagen_core.training.scenes import STYLES, Placed, Scene, article
from imagen_core.training.sprites import concepts, render_all

_RENDERS = 40  # real pictures of each concept to learn from
_UPDATES = 900


def real_picture(number: int, rng: random.Random) -> Tensor:
    """A render (3, 64, 64) of concept `number` alone, in its own colours, on a plain background."""
    size = rng.uniform(0.6, 0.86)
    free = (1 - size) / 2 * 0.8
    x, y = (0.5 + rng.uniform(-free, free) for _ in range(2))
    thing = Placed(concepts()[number], "", x, y, size, rng.uniform(-8, 8))
    return picture(Scene((thing,), rng.choice(STYLES), rng.choice(PLAIN)), CONFIGS["base"], rng)


def classifier() -> nn.Sequential:
    """(n, 3, 64, 64) to a score for each concept."""
    widths = (3, 32, 64, 128, 192)
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.GroupNorm(8, after), nn.SiLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.2), nn.Linear(widths[-1] * 16, len(concepts())))


def learn() -> nn.Sequential:
    """Train on renders, a little blurred and noisy, so that the traces of a diffusion model do not confuse it."""
    rng = random.Random(0)
    torch.manual_seed(0)
    numbers = torch.arange(len(concepts())).repeat(_RENDERS)
    pictures = torch.stack([real_picture(number, rng) for number in numbers.tolist()])
    network = classifier()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.02)
    for update in range(_UPDATES):
        rows = torch.randint(len(numbers), (48,))
        batch = pictures[rows]
        if update % 2:
            batch = F.interpolate(F.avg_pool2d(batch, 2), scale_factor=2, mode="bilinear")
        batch = batch + torch.randn_like(batch) * torch.rand(len(rows), 1, 1, 1) * 0.25
        loss = F.cross_entropy(network(batch), numbers[rows])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * (1 - update / _UPDATES)
        if update % 100 == 99:
            print(f"classifier: {update + 1} of {_UPDATES} updates, loss {float(loss.detach()):.3f}", flush=True)
    return network.eval()


def interval(right: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z, share = 1.96, right / total
    centre, spread = share + z * z / (2 * total), z * math.sqrt(share * (1 - share) / total + z * z / (4 * total**2))
    return (centre - spread) / (1 + z * z / total), (centre + spread) / (1 + z * z / total)


@torch.inference_mode()
def evaluate(imagen: Imagen, network: nn.Module, samples: int, guidance_scale: float | None) -> dict[str, object]:
    """Draw every concept `samples` times; the shares of the classifier's right answers for drawn and real pictures."""
    rng = random.Random(1)
    count = len(concepts())
    real = torch.stack([real_picture(number, rng) for number in range(count) for _ in range(5)])
    ceiling = float((network(real).argmax(dim=1) == torch.arange(count).repeat_interleave(5)).float().mean())
    found: dict[str, int] = {}
    for number, concept in enumerate(concepts()):
        for seed in range(samples):
            prompt = f"{article(concept.noun)} {concept.noun} on {article(PLAIN[seed])} {PLAIN[seed]} background"
            recipe = replace(imagen.recipe(prompt, seed=seed), last_stage="base")
            if guidance_scale is not None:
                recipe = recipe.updated({"base": {"guidance_scale": guidance_scale}})
            drawn = [event.x_0 for event in imagen.stream(recipe) if isinstance(event, StageFinished)][-1]
            found[concept.noun] = found.get(concept.noun, 0) + int(network(drawn).argmax() == number)
        print(f"{concept.noun}: {found[concept.noun]} of {samples}", flush=True)
    right, total = sum(found.values()), samples * count
    low, high = interval(right, total)
    return {
        "accuracy": right / total,
        "low": low,
        "high": high,
        "n": total,
        "ceiling": ceiling,
        "floor": 1 / count,
        "concepts_recognised_at_least_once": sum(value > 0 for value in found.values()),
        "concepts": count,
        "by_concept": {noun: value / samples for noun, value in found.items()},
    }


def main() -> None:
    """Evaluate a model and print, or write, the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="bundled", help="preset or model folder")
    parser.add_argument("--samples", type=int, default=2, help="pictures of each concept, 1 to 9 (default 2)")
    parser.add_argument("--guidance-scale", type=float, help="of the base stage (default: the default recipe's)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    if not 1 <= arguments.samples <= len(PLAIN):
        parser.error(f"--samples must be 1 to {len(PLAIN)}")
    for _ in render_all():
        pass
    figures = evaluate(Imagen.from_pretrained(arguments.model), learn(), arguments.samples, arguments.guidance_scale)
    print(json.dumps({key: value for key, value in figures.items() if key != "by_concept"}, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
