"""The U-Net's configuration, and that a network of it learns."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from imagen_core.models.conditioning import UNetConditioning
from imagen_core.models.unet import UNet
from imagen_core.models.unet_config import UNetConfig
from imagen_core.training.config import CONFIGS
from imagen_core.training.optimiser import Optimiser
from tests.random_unets import LOCAL, MIXED, inputs, predict, random_unet


def test_gradients_reach_every_parameter() -> None:
    for config in (MIXED, replace(MIXED, low_res=True), LOCAL):
        unet = random_unet(config).requires_grad_(True)
        predict(unet, **inputs(config)).square().mean().backward()
        silent = [name for name, value in unet.named_parameters() if value.grad is None or not value.grad.any()]
        assert silent == []


def test_from_its_zeros_the_network_wakes_in_a_few_updates() -> None:
    """The head, then what it reads, then what modulates that: each zero layer takes one update to open."""
    torch.manual_seed(0)
    config = replace(MIXED, low_res=True)
    unet = UNet(config).to(memory_format=torch.channels_last)
    before = {name: value.detach().clone() for name, value in unet.named_parameters()}
    optimiser, given, target = Optimiser(unet, 1e-2), inputs(config), torch.randn(2, 3, 16, 16)
    for update in range(5):
        (predict(unet, **given) - target).square().mean().backward()
        optimiser.step(1.0, update)
    asleep = [name for name, value in unet.named_parameters() if torch.equal(value, before[name])]
    assert asleep == []


@pytest.mark.parametrize("config", [MIXED, LOCAL, *(stage.unet for stage in CONFIGS.values())])
def test_a_configuration_survives_a_checkpoints_header(config: UNetConfig) -> None:
    assert UNetConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"blocks": (1, 2)}, "same levels"),
        ({"widths": (), "blocks": (), "attention": ()}, "same levels"),
        ({"attention": ("none", "image", "text")}, "not image"),
        ({"heads": 4}, "unknown keys: heads"),
        ({"patch": 0}, "whole numbers above 0"),
        ({"patch": "2"}, "whole numbers above 0"),
        ({"widths": (32, 64.0, 64)}, "whole numbers above 0"),
        ({"blocks": (1, 0, 1)}, "whole numbers above 0"),
        ({"blocks": (1, True, 1)}, "whole numbers above 0"),
        ({"embedding": -1}, "whole numbers above 0"),
        ({"middle": -1}, "whole numbers from 0"),
        ({"text_layers": 1.0}, "whole numbers from 0"),
        ({"blocks": (1, 10**9, 1)}, "at most 64"),
        ({"middle": 65}, "at most 64"),
        ({"text_layers": 65}, "at most 64"),
        ({"embedding": 10**9}, "at most 8192"),
        ({"widths": (32,) * 9, "blocks": (1,) * 9, "attention": ("none",) * 9}, "9 levels, at most 8"),
        ({"text_width": 200}, "cannot be shared out"),
        ({"widths": 32}, "incomplete"),
    ],
)
def test_a_configuration_that_makes_no_network_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        UNetConfig.from_dict(MIXED.to_dict() | changes)


def test_an_incomplete_configuration_is_refused() -> None:
    values = MIXED.to_dict()
    del values["patch"]
    with pytest.raises(ValueError, match="patch"):
        UNetConfig.from_dict(values)


@pytest.mark.parametrize("stage", CONFIGS)
def test_the_trained_networks_take_their_stages_pictures(stage: str) -> None:
    """On the meta device, where only shapes are computed; appendix B puts most blocks where the image is small."""
    config = CONFIGS[stage]
    with torch.device("meta"):
        unet = UNet(config.unet)
        for size in {config.size, config.pixels}:
            picture = torch.empty(2, 3, size, size)
            low = (picture, torch.empty(2)) if config.unet.low_res else (None, None)
            mask = torch.ones(2, 7, dtype=torch.bool)
            given = UNetConditioning(torch.empty(2, 7, 512), mask, *low)
            assert unet(picture, torch.empty(2), given).shape == picture.shape
    assert config.unet.low_res == (stage != "base")
    assert config.unet.blocks[-1] >= config.unet.blocks[0]
    assert config.unet.attention[0] == "none"
    if config.crop < 1:
        assert "image and text" not in config.unet.attention
