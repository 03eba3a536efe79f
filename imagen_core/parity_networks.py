"""Random networks in DeepFloyd IF's structure, for the benchmark: what they draw is noise, what they cost is real."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from imagen_core.recipe import SIZES

SCHEDULER = {
    "beta_schedule": "squaredcos_cap_v2",
    "variance_type": "learned_range",
    "thresholding": True,
    "dynamic_thresholding_ratio": 0.95,
    "prediction_type": "epsilon",
}
_STRUCTURE = {
    "encoder_hid_dim": 512,  # the bundled T5's width
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "addition_embed_type": "text",
    "norm_num_groups": 8,
    "cross_attention_norm": "group_norm",
    "resnet_time_scale_shift": "scale_shift",
    "resnet_skip_time_act": True,
    "resnet_out_scale_factor": 1.4142,
    "mid_block_scale_factor": 1.4142,
    "time_embedding_act_fn": "gelu",
    "act_fn": "gelu",
    "out_channels": 6,
}


@dataclass(frozen=True)
class Size:
    """A network: its stage, its widths, of how many of its levels, the last, attend to text, and how many are timed."""

    stage: str
    widths: tuple[int, ...]
    attention: int
    blocks: int
    num_steps: int


NETWORKS = {
    "tiny base": Size("base", (16, 32, 64), attention=1, blocks=1, num_steps=6),
    "tiny sr256": Size("sr256", (8, 16, 32, 64), attention=1, blocks=1, num_steps=2),
    "middle base": Size("base", (64, 128, 192), attention=2, blocks=1, num_steps=3),
}


def random_unet(size: Size) -> Any:
    """A `UNet2DConditionModel` of diffusers, the same at every call."""
    import diffusers

    widths = size.widths
    plain = len(widths) - size.attention
    build: Any = diffusers.UNet2DConditionModel
    enlarging = {"in_channels": 6, "class_embed_type": "timestep", "only_cross_attention": True}
    torch.manual_seed(0)
    unet = build(
        sample_size=SIZES[size.stage],
        block_out_channels=widths,
        down_block_types=("ResnetDownsampleBlock2D",) * plain + ("SimpleCrossAttnDownBlock2D",) * size.attention,
        up_block_types=("SimpleCrossAttnUpBlock2D",) * size.attention + ("ResnetUpsampleBlock2D",) * plain,
        layers_per_block=size.blocks,
        attention_head_dim=32,
        cross_attention_dim=widths[-1],
        addition_embed_type_num_heads=8,
        **_STRUCTURE,
        **(enlarging if size.stage == "sr256" else {"in_channels": 3}),
    )
    return unet.eval().requires_grad_(False)
