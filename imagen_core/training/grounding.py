"""Who looks where: a scene tells exactly which thing is at a place and which words of its caption speak of that thing.

Where a scene has two groups of things, attention from a place of one to the words of the other is what binds a colour
to the wrong thing, so training counts it as a loss beside that of the picture. TokenCompose (arXiv 2312.03626) does
this with segmentation of photographs; here nothing has to be guessed. Attention to all other tokens is left free.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from imagen_core.models.attention_record import AttentionRecord

_LEAST = 1e-4  # of attention: where neither thing has any, nothing is to be learnt


def misplaced(record: AttentionRecord, layouts: Tensor, groups: Tensor) -> Tensor:
    """Mean over layers and places of -log(own / (own + other)): attention to the words of the place's own thing.

    layouts (n, GRID, GRID) and groups (n, l) are those of `layout`, groups 0 for tokens that are masked out. Only
    pictures with both groups in layout and text count; 0 where there is none.
    """
    said = torch.stack([groups == 1, groups == 2], dim=1).float()  # (n, 2, l)
    shown = torch.stack([layouts == 1, layouts == 2], dim=1).float()  # (n, 2, GRID, GRID)
    both = (said.amax(dim=2) > 0).all(dim=1) & (shown.amax(dim=(2, 3)) > 0).all(dim=1)  # (n,)
    if not both.any():
        return torch.zeros((), device=layouts.device)
    said, shown = said[both], shown[both]
    losses = []
    for size, weights in record.layers():
        here = F.adaptive_avg_pool2d(shown, size).flatten(2)  # (m, 2, h w), share of the place
        to = torch.einsum("mql,mgl->mgq", weights[both][:, :, 1:].float(), said) + _LEAST  # (m, 2, h w)
        own = torch.log(to / to.sum(dim=1, keepdim=True))
        losses.append(-(own * here).sum() / here.sum())
    return torch.stack(losses).mean()
