"""Muon on the hidden weights, AdamW on everything else, and the average of the weights that is shipped.

Muon (torch.optim.Muon) takes matrices only, so a convolution (out, in, k, k) is handed to it as the matrix
(out, k k in) that shares its memory.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

EMA_DECAY = 0.994
_NOT_HIDDEN = ("stem", "head", "text_adapter", "time", "pooled_text", "modulation")  # parts whose weights AdamW takes


class Optimiser:
    """The two optimisers over one network, and its exponential moving average."""

    def __init__(self, network: nn.Module, learning_rate: float) -> None:
        """Take a network whose convolutions are in channels-last memory.

        Raises:
            ValueError: they are not, so that a matrix of their memory would be a copy and Muon would train nothing.
        """
        self.learning_rate = learning_rate
        self._network = network
        self._matrices: list[tuple[nn.Parameter, nn.Parameter]] = []  # of the network, as Muon sees it
        rest = []
        for name, parameter in network.named_parameters():
            if parameter.dim() in (2, 4) and not any(part in name for part in _NOT_HIDDEN):
                matrix = _matrix(parameter.data)
                if matrix.data_ptr() != parameter.data_ptr():
                    raise ValueError(f"{name} is not in channels-last memory.")
                self._matrices.append((parameter, nn.Parameter(matrix)))
            else:
                rest.append(parameter)
        self._muon = torch.optim.Muon(
            [matrix for _, matrix in self._matrices], lr=learning_rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
        )
        self._adamw = torch.optim.AdamW(rest, lr=learning_rate / 2, betas=(0.9, 0.99), weight_decay=0.0)
        self.average = {name: value.detach().clone() for name, value in network.named_parameters()}

    def restart_average(self) -> None:
        """Let the average begin at the weights as they are."""
        for name, parameter in self._network.named_parameters():
            self.average[name] = parameter.detach().clone()

    def step(self, share: float, update: int) -> None:
        """One update at `share` (0 to 1) of the learning rate; gradients are used up.

        Raises:
            FloatingPointError: a gradient is not finite; the weights and their average are as they were.
        """
        norm = float(nn.utils.clip_grad_norm_(self._network.parameters(), 1.0))
        if not math.isfinite(norm):
            self._network.zero_grad(set_to_none=True)
            raise FloatingPointError(f"the gradient's norm is {norm} at update {update}.")
        for parameter, matrix in self._matrices:
            assert parameter.grad is not None
            matrix.grad = _matrix(parameter.grad)
        for optimiser, rate in ((self._muon, self.learning_rate), (self._adamw, self.learning_rate / 2)):
            for group in optimiser.param_groups:
                group["lr"] = rate * share
            optimiser.step()  # type: ignore[no-untyped-call]
        self._network.zero_grad(set_to_none=True)
        decay = min(EMA_DECAY, (1 + update) / (10 + update))
        with torch.no_grad():
            for name, parameter in self._network.named_parameters():
                self.average[name].lerp_(parameter, 1 - decay)

    def state(self) -> dict[str, Tensor]:
        """All tensors that a later run needs to go on: weights, average, moments."""
        tensors = {f"weights.{name}": value.detach() for name, value in self._network.named_parameters()}
        tensors |= {f"average.{name}": value for name, value in self.average.items()}
        for kind, optimiser in (("muon", self._muon), ("adamw", self._adamw)):
            for index, values in optimiser.state_dict()["state"].items():
                tensors |= {f"{kind}.{index}.{key}": torch.as_tensor(value) for key, value in values.items()}
        return tensors

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take up what `state` gave; moments that are missing start anew."""
        with torch.no_grad():
            for name, parameter in self._network.named_parameters():
                parameter.copy_(tensors[f"weights.{name}"])
                self.average[name].copy_(tensors[f"average.{name}"])
        for kind, optimiser in (("muon", self._muon), ("adamw", self._adamw)):
            whole = optimiser.state_dict()
            for key, value in tensors.items():
                if key.startswith(f"{kind}."):
                    _, index, field = key.split(".", 2)
                    whole["state"].setdefault(int(index), {})[field] = value.clone()
            optimiser.load_state_dict(whole)


def _matrix(tensor: Tensor) -> Tensor:
    """(out, in, k, k) as (out, k k in) without a copy where the memory is channels-last; a matrix as it is."""
    if tensor.dim() == 2:
        return tensor
    return tensor.permute(0, 2, 3, 1).reshape(tensor.shape[0], -1)
