"""Scenes in other words: one thing about them differs, and the loss mixes them in where it should."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import replace

import torch

from imagen_core.models.conditioning import UNetConditioning
from imagen_core.models.unet_config import UNetConfig
from imagen_core.noise_schedule import cosine_schedule
from imagen_core.training.config import StageConfig
from imagen_core.training.layout import GRID
from imagen_core.training.objective import Batch, loss
from imagen_core.training.restyling import FROM, SAME_SHAPES, restyled
from imagen_core.training.scenes import compose


def test_either_style_background_or_the_colour_of_one_kind_differs() -> None:
    changed: Counter[str] = Counter()
    for seed in range(600):
        rng = random.Random(seed)
        scene = compose(rng)
        other = restyled(scene, rng)
        plain = [replace(thing, colour="") for thing in scene.things]
        assert [replace(thing, colour="") for thing in other.things] == plain
        colours = [
            (a.concept, b.colour) for a, b in zip(scene.things, other.things, strict=True) if a.colour != b.colour
        ]
        differs = {
            "style": scene.style != other.style,
            "background": scene.background != other.background,
            "colour": bool(colours),
        }
        assert sum(differs.values()) == 1
        changed.update(name for name, does in differs.items() if does)
        assert not differs["style"] or {scene.style, other.style} <= set(SAME_SHAPES)
        assert len(set(colours)) <= 1
        assert not any(
            thing.colour and thing.colour in (other.background, thing.concept.colour) for thing in other.things
        )
    assert min(changed.values()) > 100


class Looking:
    """Stands where the network does and keeps what it is shown."""

    def __init__(self, config: UNetConfig) -> None:
        self.config = config

    def __call__(self, x_t: torch.Tensor, t: torch.Tensor, given: UNetConditioning, record: None) -> torch.Tensor:
        self.given = given
        return torch.zeros_like(x_t)


def test_only_noised_pictures_are_of_other_words_and_as_many_as_configured() -> None:
    n = 4000
    shape = UNetConfig(2, (32,), (1,), ("none",), low_res=True)
    config = StageConfig("sr256", 32, 1.0, shape, "x_0", snr_cap=6.0, clean=0.3, restyled=0.4)
    pictures, others = torch.ones(n, 3, 32, 32), -torch.ones(n, 3, 8, 8)
    mask, nowhere = torch.ones(n, 3, dtype=torch.bool), torch.zeros(n, GRID, GRID, dtype=torch.uint8)
    batch = Batch(pictures, torch.zeros(n, 3, 4), mask, nowhere, torch.zeros(n, 3).byte(), others)
    torch.manual_seed(0)
    network = Looking(shape)
    loss(network, batch, config, cosine_schedule(), torch.float32)  # type: ignore[arg-type]
    low_res, aug_level = network.given.low_res, network.given.aug_level
    assert low_res is not None
    assert aug_level is not None
    level = low_res.mean(dim=(1, 2, 3)) / torch.cos(aug_level * math.pi / 2)
    told = aug_level < 0.8  # where the noise leaves the sign of the mean
    assert (level[told & (aug_level <= FROM)] > 0).all()
    share = float((level[told & (aug_level > FROM)] < 0).float().mean())
    assert abs(share - 0.4) < 0.05
