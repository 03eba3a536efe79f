"""A training small enough to end within a test."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor

from imagen_core.models.unet_config import UNetConfig
from imagen_core.training.config import StageConfig
from imagen_core.training.corpus import Corpus
from imagen_core.training.layout import GRID
from imagen_core.training.loop import Trainer
from imagen_core.training.objective import loss

TINY = StageConfig(
    stage="base",
    size=16,
    crop=1.0,
    unet=UNetConfig(4, (64,), (1,), ("text",), t5_width=16, text_width=32, embedding=64),
    prediction="x_0",
    snr_cap=6.0,
    batch=8,
    learning_rate=4e-3,
    warm_up=10,
)


def eight_pictures() -> Corpus:
    """Eight plain pictures, each of another colour and with a text of two tokens that tells it."""
    random = torch.Generator().manual_seed(0)
    colours = torch.tensor([[r, g, b] for r in (20, 235) for g in (20, 235) for b in (20, 235)], dtype=torch.uint8)
    pictures = colours[:, :, None, None].expand(8, 3, 16, 16).contiguous()
    states = (torch.randn(16, 16, generator=random) * 0.1).half()
    nowhere = {"layouts": torch.zeros(8, GRID, GRID, dtype=torch.uint8), "groups": torch.zeros(16, dtype=torch.uint8)}
    return Corpus([{"pictures": pictures, "states": states, "ends": torch.arange(2, 18, 2), **nowhere}])


def train(trainer: Trainer, updates: int, minutes: float | None = 10_000) -> None:
    """So many updates at the start of a long budget, where the learning rate hardly falls."""
    for _ in islice(trainer.run(eight_pictures(), minutes), updates):
        pass


def measured(trainer: Trainer, config: StageConfig = TINY) -> float:
    """The loss on a fixed draw of 64 pictures, timesteps and noise, with the text."""
    torch.manual_seed(7)
    batch = eight_pictures().batch(64, torch.Generator().manual_seed(7))
    with torch.no_grad():
        return float(loss(trainer.unet, batch, replace(config, text_drop=0.0), trainer.schedule))


def weights(trainer: Trainer) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in trainer.unet.named_parameters()}


def assert_same(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.equal(b[name], value), name
