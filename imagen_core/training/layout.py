"""Where the groups of a scene are in its picture, and which tokens of its caption speak of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from imagen_core.training.captions import Worded
from imagen_core.training.scenes import Scene

GRID = 16  # places a side, the finest size at which a U-Net of ours attends to text
_REACH = 0.48  # of a thing's side: how far from its centre a place still counts as its own


def layout(scene: Scene) -> Tensor:
    """(GRID, GRID) uint8: 0 where nothing is, 1 where a thing of the first group is in front, 2 of the second."""
    place = (torch.arange(GRID) + 0.5) / GRID
    numbers = [number for number, (_, count) in enumerate(scene.groups, start=1) for _ in range(count)]
    shown = torch.zeros(GRID, GRID, dtype=torch.uint8)
    for thing, number in zip(scene.things, numbers, strict=True):
        near = (place[None, :] - thing.x).square() + (place[:, None] - thing.y).square() < (_REACH * thing.size) ** 2
        shown[near] = number
    return shown


def token_groups(caption: Worded, tokens: Sequence[tuple[int, int]]) -> Tensor:
    """(l,) uint8 for tokens at the (start, end) of the caption's characters: 0, or 1 + the group they speak of."""
    groups = torch.zeros(len(tokens), dtype=torch.uint8)
    for token, (start, end) in enumerate(tokens):
        for group, spans in enumerate(caption.spans, start=1):
            if any(first < end and start < last for first, last in spans) and end > start:
                groups[token] = group
    return groups
