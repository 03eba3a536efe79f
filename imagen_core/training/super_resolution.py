"""What the super-resolution stages are worth, next to a bicubic enlargement.

On real low-resolution pictures there is a truth: PSNR in dB, LPIPS, and how steep the picture is where the true one has
its edges. On generated ones there is none, and what is compared is how steep each picture's own steepest places are.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from imagen_core.conditioning import Conditioning
from imagen_core.denoiser import Denoiser
from imagen_core.events import StageFinished
from imagen_core.imagen import Imagen
from imagen_core.noise import StageNoise
from imagen_core.noise_conditioning import augment, upsample
from imagen_core.sampler import sample
from imagen_core.schedulers import build_scheduler
from imagen_core.training.captions import caption
from imagen_core.training.config import CONFIGS
from imagen_core.training.corpus import picture
from imagen_core.training.scenes import compose, render
from imagen_core.training.scores import mean

STAGES = ("sr256", "sr1024")
_FIRST_SCENE = 10**9  # a seed far beyond those of the training scenes
_STEEP = 0.02  # share of a picture's places that count as its edges

Difference = Callable[[Tensor, Tensor], float]


def enlarge(imagen: Imagen, stage: str, low_res: Tensor, prompt: str, seed: int) -> Tensor:
    """The stage's picture (1, 3, size, size) over any low_res (1, 3, h, w) in [-1, 1], with the default recipe."""
    model, chosen = imagen.cascade.stages[stage], imagen.recipe().stage(stage)
    scheduler = build_scheduler(chosen.scheduler, chosen.spacing, chosen.num_steps, model.noise_schedule)
    noise = StageNoise(seed, stage, 1, model.size)
    text = imagen.cascade.text_encoder.encode(prompt)
    device = imagen.cascade.device
    with torch.inference_mode():
        noised = augment(low_res, chosen.aug_level, noise.augmentation(low_res.shape[2]))
        large = upsample(noised, model.size).to(device)
    conditioning = Conditioning(text.states.to(device), text.mask.to(device), low_res=large, aug_level=chosen.aug_level)
    denoiser = Denoiser(model.unet, model.noise_schedule, model.prediction)
    *_, last = sample(denoiser, scheduler, conditioning, chosen, noise)
    return last.x_0.cpu().clamp(-1, 1)


def bicubic(low_res: Tensor, size: int) -> Tensor:
    """(1, 3, h, w) to (1, 3, size, size)."""
    return F.interpolate(low_res, size=(size, size), mode="bicubic", align_corners=False).clamp(-1, 1)


def psnr(first: Tensor, second: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of two pictures in [-1, 1]."""
    return 10 * math.log10(4 / max(float((first - second).square().mean()), 1e-12))


def slope(pictures: Tensor) -> Tensor:
    """Steepness (h - 1, w - 1) of a picture (1, 3, h, w): length of the gradient of its mean over channels."""
    grey = pictures[0].mean(dim=0)
    right, down = grey[:-1, 1:] - grey[:-1, :-1], grey[1:, :-1] - grey[:-1, :-1]
    return (right.square() + down.square()).sqrt()


def edge_sharpness(shown: Tensor, truth: Tensor) -> float:
    """Mean steepness of a picture at the true one's edges, its steepest places, over that of the true one."""
    true_slope = slope(truth).flatten()
    edges = true_slope.topk(_edges(true_slope)).indices
    return float(slope(shown).flatten()[edges].mean() / true_slope[edges].mean().clamp(min=1e-6))


def own_sharpness(shown: Tensor) -> float:
    """Mean steepness of a picture's own steepest places."""
    own = slope(shown).flatten()
    return float(own.topk(_edges(own)).values.mean())


def _edges(slopes: Tensor) -> int:
    return max(1, round(slopes.numel() * _STEEP))


def on_real(imagen: Imagen, count: int, lpips: Difference | None) -> Iterator[tuple[str, dict[str, float]]]:
    """(stage, figures) for `count` scenes that training never saw; each stage enlarges the true smaller picture."""
    for index in range(count):
        rng = random.Random(_FIRST_SCENE + index)
        scene = compose(rng)
        prompt = caption(scene, rng)
        before = picture(scene, CONFIGS["base"], rng)[None]
        for stage in STAGES:
            size = imagen.cascade.stages[stage].size
            truth = render(scene, size)[None]
            figures: dict[str, float] = {"true_own": own_sharpness(truth)}
            ways = {"model": enlarge(imagen, stage, before, prompt, index), "bicubic": bicubic(before, size)}
            for way, shown in ways.items():
                figures[f"{way}_psnr"] = psnr(shown, truth)
                figures[f"{way}_edges"] = edge_sharpness(shown, truth)
                figures[f"{way}_own"] = own_sharpness(shown)
                if lpips is not None:
                    figures[f"{way}_lpips"] = lpips(shown, truth)
            yield stage, figures
            before = truth


def on_generated(imagen: Imagen, count: int) -> Iterator[tuple[str, dict[str, float]]]:
    """(stage, figures) for `count` pictures drawn with the default recipe from captions of scenes."""
    for index in range(count):
        rng = random.Random(_FIRST_SCENE + index)
        recipe = replace(imagen.recipe(caption(compose(rng), rng), seed=index), last_stage=STAGES[-1])
        before = torch.empty(0)
        for event in imagen.stream(recipe):
            if isinstance(event, StageFinished):
                if event.stage in STAGES:
                    large = bicubic(before, event.size)
                    yield event.stage, {"model_own": own_sharpness(event.x_0), "bicubic_own": own_sharpness(large)}
                before = event.x_0.cpu().clamp(-1, 1)


def super_resolution(imagen: Imagen, count: int, lpips: Difference | None) -> dict[str, object]:
    """Means over `count` pictures of each kind, by stage.

    `psnr`, `lpips` and `edges` (1 is as sharp as the truth) are against the true render; `own_over_bicubic` is how many
    times steeper a picture's steepest places are than those of the bicubic enlargement.
    """
    kinds = {"real": on_real(imagen, count, lpips), "generated": on_generated(imagen, count)}
    result: dict[str, object] = {"pictures": count}
    for kind, measured in kinds.items():
        rows: dict[str, list[dict[str, float]]] = {stage: [] for stage in STAGES}
        for stage, figures in measured:
            rows[stage].append(figures)
            if stage == STAGES[-1]:
                print(f"super-resolution, {kind}: {len(rows[stage])} of {count}", flush=True)
        result[kind] = {stage: _summary(figures) for stage, figures in rows.items()}
    return result


def _summary(rows: list[dict[str, float]]) -> dict[str, float]:
    means = {name: mean([row[name] for row in rows]) for name in rows[0]}
    bicubic_own = means.pop("bicubic_own")
    for way in ("model", "true"):
        if f"{way}_own" in means:
            means[f"{way}_own_over_bicubic"] = means.pop(f"{way}_own") / bicubic_own
    return means
