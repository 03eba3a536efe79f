"""How much memory a model takes, told before it is loaded, and whether its networks take turns on the device."""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from imagen_core.container_memory import container_bytes
from imagen_core.shards import CheckpointError

MAX_HEADER = 100_000_000  # bytes of a safetensors file; as the library has it
WORKING_BYTES = 2_000_000_000  # beside the weights: activations of one guided step at 1024 pixels, and the libraries


@dataclass(frozen=True)
class Part:
    """A network, the bytes that its weights take once they are loaded, and in which number format.

    stays: it is on the device all the time, even where the others take turns.
    """

    name: str
    nbytes: int
    number_format: str
    stays: bool = False


@dataclass(frozen=True)
class MemoryPlan:
    """The networks of a model, and the memory that is free on `device` (None where that is not known).

    published: the sizes are from published numbers of parameters, because the files are not here yet.
    """

    device: str
    parts: tuple[Part, ...]
    free_bytes: int | None
    published: bool = False

    @property
    def nbytes(self) -> int:
        """Of all networks together."""
        return sum(part.nbytes for part in self.parts)

    @property
    def takes_turns(self) -> bool:
        """Whether a network is on the device only while it is in use. On a processor there is nowhere else to be."""
        short = self.free_bytes is not None and self.nbytes + WORKING_BYTES > self.free_bytes
        return short and self.device != "cpu"

    @property
    def fits(self) -> bool:
        """Whether the device has room: for all networks on a processor, for the largest where they take turns."""
        if self.free_bytes is None:
            return True
        turns = [0, *(part.nbytes for part in self.parts if not part.stays)]
        at_once = self.nbytes - sum(turns) + max(turns) if self.takes_turns else self.nbytes
        return at_once + WORKING_BYTES <= self.free_bytes

    def __str__(self) -> str:
        parts = ", ".join(f"{part.name} {_gb(part.nbytes)} in {part.number_format}" for part in self.parts)
        about = "about " if self.published else ""
        needed = f"{parts}, and {_gb(WORKING_BYTES)} to work in; {about}{_gb(self.nbytes + WORKING_BYTES)} needed"
        free = "" if self.free_bytes is None else f", {_gb(self.free_bytes)} free"
        turns = "one network at a time is there" if self.takes_turns else "all networks stay there"
        return f"Memory on {self.device}: {needed}{free}: {turns if self.fits else 'THIS WILL NOT FIT'}."


def num_weights(files: Iterable[Path], endings: tuple[str, ...] = ("",)) -> int:
    """How many numbers the tensors in safetensors files hold whose names end so, read from the files' headers.

    Raises:
        CheckpointError: a file is no safetensors file.
    """
    return sum(_numbers(path, endings) for path in files)


def free_bytes(device: torch.device) -> int | None:
    """The memory that is free on a device, in bytes; None where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type == "cpu" and "SC_AVPHYS_PAGES" in getattr(os, "sysconf_names", {}):
        available = _available_bytes() or os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        of_container = container_bytes()
        return available if of_container is None else min(available, of_container)
    return None


def _available_bytes() -> int | None:
    """What Linux could give a new program, the memory that only keeps files included."""
    information = Path("/proc/meminfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _numbers(path: Path, endings: tuple[str, ...]) -> int:
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            size = path.stat().st_size
            if length > min(size, MAX_HEADER):
                raise ValueError
            header = json.loads(file.read(length))
        shapes = {name: tensor["shape"] for name, tensor in header.items() if name != "__metadata__"}
        if not all(type(side) is int and side >= 0 for shape in shapes.values() for side in shape):
            raise ValueError
        numbers = {name: math.prod(shape) for name, shape in shapes.items()}
        if sum(numbers.values()) > 8 * size:  # none is smaller than a bit
            raise ValueError
        return sum(number for name, number in numbers.items() if name.endswith(endings))
    except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is no whole safetensors file: fetch it again.") from error


def _gb(nbytes: int) -> str:
    return f"{nbytes / 1e9:.1f} GB"
