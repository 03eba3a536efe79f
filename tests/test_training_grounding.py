"""The loss of attention to the wrong thing's words, against closed forms, and that training lowers it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from imagen_core.models.attention_record import AttentionRecord
from imagen_core.models.conditioning import UNetConditioning
from imagen_core.models.unet import UNet
from imagen_core.models.unet_config import UNetConfig
from imagen_core.noise_schedule import cosine_schedule
from imagen_core.training.config import StageConfig
from imagen_core.training.grounding import misplaced
from imagen_core.training.layout import GRID
from imagen_core.training.objective import Batch, loss

HALVES = torch.zeros(1, GRID, GRID, dtype=torch.uint8)
HALVES[:, :, : GRID // 2], HALVES[:, :, GRID // 2 :] = 1, 2  # the first thing left, the second right
GROUPS = torch.tensor([[1, 2, 0]], dtype=torch.uint8)


def recorded(left: list[float], right: list[float], size: int = GRID) -> AttentionRecord:
    """A layer of two heads whose left and right half attend to (null, token, token, token) like this."""
    weights = torch.tensor(left, dtype=torch.float32).expand(1, 2, size, size, 4).clone()
    weights[:, :, :, size // 2 :] = torch.tensor(right)
    record = AttentionRecord(1)
    record.add(weights.reshape(1, 2, size * size, 4), (size, size))
    return record


@pytest.mark.parametrize("size", [GRID, GRID // 2])
def test_in_closed_form(size: int) -> None:
    right = recorded([0, 1, 0, 0], [0, 0, 1, 0], size)
    assert float(misplaced(right, HALVES, GROUPS)) == pytest.approx(0, abs=1e-3)
    even = recorded([0.2, 0.3, 0.3, 0.2], [0.2, 0.3, 0.3, 0.2], size)
    assert float(misplaced(even, HALVES, GROUPS)) == pytest.approx(math.log(2), abs=1e-3)
    swapped = recorded([0, 0.1, 0.9, 0], [0, 0.9, 0.1, 0], size)
    assert float(misplaced(swapped, HALVES, GROUPS)) == pytest.approx(-math.log(0.1), abs=2e-3)


def test_attention_to_other_words_and_to_none_is_free() -> None:
    away = recorded([0.9, 0.01, 0, 0.09], [0.5, 0, 0.01, 0.49])
    assert float(misplaced(away, HALVES, GROUPS)) == pytest.approx(0, abs=0.02)


def test_a_picture_without_two_things_or_their_words_does_not_count() -> None:
    swapped = recorded([0, 0, 1, 0], [0, 1, 0, 0])
    assert float(misplaced(swapped, HALVES.clamp(max=1), GROUPS)) == 0
    assert float(misplaced(swapped, HALVES, GROUPS * 0)) == 0  # the text was dropped
    assert float(misplaced(swapped, HALVES, GROUPS.clamp(max=1))) == 0


def test_training_moves_attention_to_the_words_of_what_is_there() -> None:
    torch.manual_seed(0)
    shape = UNetConfig(4, (64,), (1,), ("text",), t5_width=16, text_width=32, embedding=64, places=True)
    config = replace(StageConfig("base", 64, 1.0, shape, "v", snr_cap=5.0, text_drop=0.0), grounding=1.0)
    unet = UNet(shape)
    picture = torch.ones(8, 3, 64, 64)
    picture[..., 32:] = -1
    mask, states = torch.ones(8, 3, dtype=torch.bool), torch.randn(1, 3, 16).expand(8, -1, -1)
    batch = Batch(picture, states, mask, HALVES.expand(8, -1, -1), GROUPS.expand(8, -1))
    optimiser = torch.optim.Adam(unet.parameters(), 1e-2)

    @torch.no_grad()
    def attention() -> float:
        record = AttentionRecord(8)
        unet(picture, torch.zeros(8), UNetConditioning(states, mask), record=record)
        return float(misplaced(record, batch.layouts, batch.groups))

    before = attention()
    for _ in range(30):
        optimiser.zero_grad()
        loss(unet, batch, config, cosine_schedule(), torch.float32).backward()
        optimiser.step()
    assert before > 0.5
    assert attention() < 0.1
