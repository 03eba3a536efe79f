"""Our cascade and diffusers' own pipelines in turn, on the same networks.

    python -m imagen_core.benchmark --against diffusers

Random networks in DeepFloyd IF's structure, tiny and of middle size; what they draw is noise, what they cost is real.
Both are given the same encoded text, steps and guidance. They run in turn, in one process, and what is told is the
median over the pairs of our time by theirs. "Previews on" is ours with a JPEG of x_0 as often as the page shows one,
against theirs without, because theirs shows none.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from imagen_core.cascade import Cascade
from imagen_core.checkpoints import bundled_folder, load
from imagen_core.events import Preview, StageFinished
from imagen_core.images import to_jpeg
from imagen_core.models.deepfloyd import MAX_TOKENS, DeepFloydUNet
from imagen_core.noise_conditioning import augment_then_upsample, upsample_then_noise
from imagen_core.noise_schedule import checkpoint_schedule
from imagen_core.parity_networks import NETWORKS, SCHEDULER, Size, random_unet
from imagen_core.presets import DEEPFLOYD_BASE, DEEPFLOYD_SR256
from imagen_core.recipe import SIZES, Recipe
from imagen_core.spacings import spaced_timesteps
from imagen_core.stage import Stage
from imagen_core.text_encoder import TextEncoder

PROMPT = "a red apple on a wooden table"
PREVIEW_SECONDS = 0.1  # between two previews of a stage, as on the page


class Both:
    """One stage of both programs, on the same weights."""

    def __init__(self, size: Size, device: torch.device) -> None:
        import diffusers

        name = self.name = size.stage
        cap = {"sample_max_value": 1.5 if name == "base" else 1.0}
        plain = random_unet(size).to(device)
        ours = random_unet(size)  # a second one, because ours changes what it wraps
        bundled = load(bundled_folder(), torch.device("cpu")).text_encoder
        self.text_encoder = TextEncoder(bundled.model, bundled.tokenizer, MAX_TOKENS, padded=True)
        schedule = checkpoint_schedule(SCHEDULER)
        stage = Stage(
            name,
            SIZES[name],
            DeepFloydUNet(ours).to(device),
            schedule,
            "epsilon",
            self.text_encoder,
            low_res=augment_then_upsample if name == "base" else upsample_then_noise(schedule.alphas_cumprod),
            threshold_cap=cap["sample_max_value"],
            learned_variance=True,
            encodes_empty=True,
        )
        self.cascade = Cascade({"base": stage, name: stage}, device)
        scheduler: Any = diffusers.DDPMScheduler
        parts = {
            "tokenizer": None,
            "text_encoder": None,
            "unet": plain,
            "scheduler": scheduler(**SCHEDULER, **cap),
            "safety_checker": None,
            "feature_extractor": None,
            "watermarker": None,
            "requires_safety_checker": False,
        }
        if name == "base":
            build: Any = diffusers.IFPipeline
        else:
            build = diffusers.IFSuperResolutionPipeline
            parts["image_noising_scheduler"] = scheduler(beta_schedule="squaredcos_cap_v2")
        self.pipeline: Any = build(**parts)
        self.pipeline.set_progress_bar_config(disable=True)
        chosen = DEEPFLOYD_BASE if name == "base" else DEEPFLOYD_SR256
        chosen = replace(chosen, spacing="trailing", num_steps=size.num_steps)
        self.guidance_scale = chosen.guidance_scale
        self.recipe = Recipe(prompt=PROMPT, last_stage=name).updated({name: asdict(chosen)})
        self.timesteps = spaced_timesteps("trailing", size.num_steps, schedule)
        self.texts = [self.text_encoder.encode(prompt).states.to(device) for prompt in (PROMPT, "")]
        self.picture = (
            torch.rand(1, 3, SIZES["base"], SIZES["base"], generator=torch.Generator().manual_seed(1)) * 2 - 1
        )

    def ours(self, previews: bool) -> float:
        """Seconds of a run of our stage, with its events, and with JPEGs where `previews`."""
        before = self.picture if self.name == "sr256" else None
        self.cascade.forget()
        last = -PREVIEW_SECONDS
        started = time.perf_counter()
        denoiser = self.cascade.denoiser(self.name, lambda: None)
        for event in self.cascade.stage_events(self.recipe, self.name, before, denoiser):
            if not previews or not isinstance(event, Preview | StageFinished):
                continue
            now = time.perf_counter()
            if isinstance(event, StageFinished) or now - last >= PREVIEW_SECONDS:
                to_jpeg(event.x_0[0])
                last = now
        return time.perf_counter() - started

    def theirs(self) -> float:
        """Seconds of the same run of diffusers' pipeline."""
        given: dict[str, Tensor] = {} if self.name == "base" else {"image": self.picture}
        started = time.perf_counter()
        self.pipeline(
            prompt_embeds=self.texts[0],
            negative_prompt_embeds=self.texts[1],
            timesteps=self.timesteps,
            guidance_scale=self.guidance_scale,
            output_type="pt",
            **given,
        )
        return time.perf_counter() - started


def _ratios(ours: Callable[[], float], theirs: Callable[[], float], pairs: int) -> tuple[list[float], float, float]:
    """Ours by theirs of each pair, and the median seconds of both; who goes first changes from pair to pair."""
    mine, others = [], []
    for pair in range(pairs):
        first, second = (ours, theirs) if pair % 2 == 0 else (theirs, ours)
        seconds = first(), second()
        mine.append(seconds[pair % 2])
        others.append(seconds[1 - pair % 2])
    ratios = [own / other for own, other in zip(mine, others, strict=True)]
    return ratios, statistics.median(mine), statistics.median(others)


def against_diffusers(
    pairs: int = 5, device: str | None = None, networks: Sequence[str] = tuple(NETWORKS)
) -> Iterator[tuple[str, object]]:
    """Time both programs and yield (name, value).

    `ratio_previews_off` and `ratio_previews_on` are medians over all pairs of all `networks`.

    Below 1 ours is faster. device: as torch writes it; by default CUDA where there is one.
    """
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    every: dict[str, list[float]] = {"off": [], "on": []}
    told: dict[str, object] = {}
    for name in networks:
        both = Both(NETWORKS[name], where)
        both.ours(previews=True)
        both.theirs()
        for kind in every:
            ratios, mine, others = _ratios(partial(both.ours, kind == "on"), both.theirs, pairs)
            every[kind] += ratios
            told[f"{name}, previews {kind}"] = {
                "ratio": round(statistics.median(ratios), 3),
                "seconds": round(mine, 3),
                "seconds_diffusers": round(others, 3),
            }
    for kind, ratios in every.items():
        yield f"ratio_previews_{kind}", round(statistics.median(ratios), 3)
    yield "runs", told
    yield "machine", {"device": str(where), "threads": torch.get_num_threads(), "pairs": pairs}
