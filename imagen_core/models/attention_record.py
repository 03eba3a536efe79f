"""Where a U-Net looks for the text: the weights of its attention to the tokens in one call, as maps.

After DAAM (arXiv 2210.04885), which averages the attention of Stable Diffusion in this way. Weights are looked at and
never changed, so a prediction is the same with a record and without.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor


class AttentionRecord:
    """The attention of the first `images` of a batch; with guidance these are the ones with the prompt."""

    def __init__(self, images: int) -> None:
        self._images = images
        self._layers: dict[tuple[int, int], list[Tensor]] = {}

    def add(self, weights: Tensor, size: tuple[int, int]) -> None:
        """Take a layer's weights (n, heads, h w, 1 + l), of sum 1, the null token's first; size is (h, w)."""
        self._layers.setdefault(size, []).append(weights[: self._images].mean(dim=1))

    def layers(self) -> Iterator[tuple[tuple[int, int], Tensor]]:
        """Every layer's size (h, w) and mean over its heads, (images, h w, 1 + l)."""
        for size, layers in self._layers.items():
            yield from ((size, layer) for layer in layers)

    def maps(self) -> Tensor | None:
        """The mean over heads and layers at the finest of the layers' sizes, (images, 1 + l, h, w), float32.

        At every place the maps sum to 1. A layer of another size is enlarged linearly. None where no layer attends to
        text.
        """
        if not self._layers:
            return None
        finest = max(self._layers)
        total: Tensor | None = None
        for (height, width), layers in self._layers.items():
            summed = torch.stack(layers).sum(dim=0).float()  # (images, h w, 1 + l)
            map_ = summed.reshape(self._images, height, width, -1).permute(0, 3, 1, 2)  # (images, 1 + l, h, w)
            if (height, width) != finest:
                map_ = F.interpolate(map_, finest, mode="bilinear", align_corners=False)
            total = map_ if total is None else total + map_
        assert total is not None
        return total / sum(len(layers) for layers in self._layers.values())
