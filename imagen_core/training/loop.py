"""The training loop: a wall-clock budget that sets the learning rate, and a state that a later run takes up."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from imagen_core.models.unet import UNet
from imagen_core.noise_schedule import cosine_schedule
from imagen_core.training.config import StageConfig
from imagen_core.training.corpus import Corpus
from imagen_core.training.objective import loss
from imagen_core.training.optimiser import Optimiser

PAUSE = 20.0  # seconds; an update that took longer was suspended, and what it waited is not the budget's
GROWTH = frozenset({"middle", "places", "text_layers"})  # layers of a U-Net that begin by adding nothing
_BLOCK = re.compile(r"(?:down|up)\.\d+\.blocks\.[1-9]\d*\.")  # and so do all blocks of a level but its first


@dataclass
class Progress:
    """How far a run is; what the state's header keeps. `budget` and `elapsed` are seconds of this budget."""

    update: int = 0
    images: int = 0
    budget: float = 0.0
    elapsed: float = 0.0
    total_seconds: float = 0.0
    loss: float = 0.0


def learning_rate_share(progress: Progress, update_in_run: int, warm_up: int) -> float:
    """Warm-up over updates, then a linear fall to zero at the end of the wall-clock budget; in [0, 1]."""
    left = max(0.0, 1 - progress.elapsed / progress.budget)
    return min(1.0, (update_in_run + 1) / warm_up) * left


class Trainer:
    """One stage in training: network, optimiser, progress, and the file that keeps them."""

    def __init__(
        self,
        config: StageConfig,
        state: Path,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        """Begin anew, or with what the file `state` keeps; `dtype` is that of the network's products.

        Raises:
            ValueError: the file is damaged, or of another network.
        """
        self.config = config
        self.dtype = dtype
        self.schedule = cosine_schedule()
        torch.manual_seed(0)
        self.unet = UNet(config.unet)
        self.device = device or torch.device("cpu")
        self.unet.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = Optimiser(self.unet, config.learning_rate)
        self.progress = Progress()
        self._path = state
        if state.exists():
            try:
                with safe_open(state, "pt") as file:
                    tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                    self.progress = Progress(**json.loads(file.metadata()["progress"]))
                self.optimiser.load_state(tensors)
            except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
                raise ValueError(
                    f"{state} is no state of the {config.stage} stage as it is configured now ({error}): "
                    "move it away to begin anew."
                ) from error

    def take_over(self, weights: Mapping[str, Tensor], images: int, seconds: float) -> None:
        """Go on from finished weights that saw so many images, where there is no state; the moments begin anew.

        The network may have grown since: layers that `GROWTH` names and further blocks of a level begin by adding
        nothing where the weights lack them.

        Raises:
            ValueError: they are of another network.
        """
        own = self.optimiser.average
        missing = {name: own[name] for name in own.keys() - weights.keys() if _is_grown(name, weights)}
        whole = {**weights, **missing}
        if {name: value.shape for name, value in own.items()} != {name: w.shape for name, w in whole.items()}:
            raise ValueError(f"the weights are not those of the {self.config.stage} stage as it is configured now.")
        self.optimiser.load_state({f"{part}.{n}": w for n, w in whole.items() for part in ("weights", "average")})
        self.progress = Progress(update=images // self.config.batch, images=images, total_seconds=seconds)

    def save(self) -> None:
        """Write the state beside the old one, then take its place."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".part")
        tensors = {key: value.contiguous() for key, value in self.optimiser.state().items()}
        try:
            save_file(tensors, temporary, metadata={"progress": json.dumps(vars(self.progress))})
            temporary.replace(self._path)
        finally:
            temporary.unlink(missing_ok=True)

    def averaged(self) -> dict[str, Tensor]:
        """The averaged weights by name: what is shipped."""
        return self.optimiser.average

    def run(self, corpus: Corpus, minutes: float | None) -> Iterator[Progress]:
        """Train, one update a step. `minutes` begins a new budget; None goes on with the one in the state.

        Raises:
            ValueError: there is no budget to go on with.
            FloatingPointError: the loss or a gradient is not finite; the weights are those of the update before.
        """
        progress = self.progress
        if minutes is not None:
            progress.budget, progress.elapsed = minutes * 60, 0.0
        if progress.budget <= 0:
            raise ValueError("give --minutes: there is no earlier run whose budget could be used up.")
        if progress.update == 0:
            self.unet.text_adapter.standardise(corpus.states().to(self.device))
            self.optimiser.restart_average()
        generator = torch.Generator().manual_seed(progress.update)
        torch.manual_seed(progress.update)
        start_update = progress.update if progress.elapsed == 0 else progress.update - self.config.warm_up
        self.unet.train()
        while progress.elapsed < progress.budget:
            started = time.monotonic()
            batch = corpus.batch(self.config.batch, generator).to(self.device)
            value = loss(self.unet, batch, self.config, self.schedule, self.dtype)
            number = float(value.detach())
            if not math.isfinite(number):
                raise FloatingPointError(f"{self.config.stage}: the loss is {number} at update {progress.update}.")
            value.backward()  # type: ignore[no-untyped-call]
            share = learning_rate_share(progress, progress.update - start_update, self.config.warm_up)
            self.optimiser.step(share, progress.update)
            seconds = min(time.monotonic() - started, PAUSE)
            progress.update += 1
            progress.images += self.config.batch
            progress.elapsed += seconds
            progress.total_seconds += seconds
            progress.loss = 0.98 * progress.loss + 0.02 * number if progress.loss else number
            yield progress


def _is_grown(name: str, weights: Mapping[str, Tensor]) -> bool:
    """Whether a parameter belongs to what may be added to finished weights: a kind of layer, a whole block."""
    block = _BLOCK.match(name)
    whole = block is not None and not any(other.startswith(block[0]) for other in weights)
    return whole or bool(set(name.split(".")) & GROWTH)


def every(seconds: float, action: Callable[[], None]) -> Callable[[], None]:
    """A function that runs `action` when called, at most once in so many seconds, the first time after that time."""
    last = time.monotonic()

    def call() -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            action()
            last = time.monotonic()

    return call
