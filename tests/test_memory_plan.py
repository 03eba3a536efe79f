"""The memory that a model takes, told before it is loaded."""

from __future__ import annotations

import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from imagen_core.memory_plan import WORKING_BYTES, MemoryPlan, Part, free_bytes, num_weights
from imagen_core.shards import CheckpointError

GB = 10**9
PARTS = (Part("T5", 9 * GB, "float16"), Part("base", 8 * GB, "float16"), Part("sr256", 2 * GB, "float16"))


def test_numbers_are_counted_whatever_their_format_in_the_file(tmp_path: Path) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file({"x": torch.zeros(3, 5), "y": torch.zeros(7)}, first, metadata={"format": "pt"})
    save_file({"z": torch.zeros((), dtype=torch.float16)}, second)
    assert num_weights([first, second]) == 23
    assert num_weights([first, second], "y") == 7


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"\xff" * 8 + b"{}", b"\2\0\0\0\0\0\0\0[]", b"\2\0\0\0\0\0\0\0xx"])
def test_a_file_that_is_none_is_told(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="is no whole safetensors file: fetch it again"):
        num_weights([path])


def with_header(header: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header


@pytest.mark.parametrize(
    "shape",
    [
        b"[-3]",
        b"[1e308, 1e308]",  # were infinitely many
        b"[" + b",".join([b"9" * 300] * 40) + b"]",  # more than a float can tell
        b"[9" + b"9" * 5000 + b"]",  # more than Python reads
        b"[1000000]",  # more than the file can hold
        b"[true]",
        b'"ab"',
        pytest.param(b"[" * 100_000, id="nested"),
    ],
)
def test_a_file_whose_header_lies_is_told(tmp_path: Path, shape: bytes) -> None:
    """Numbers of these sizes went into the plan, which then had a negative size, or could not be told at all."""
    path = tmp_path / "a.safetensors"
    path.write_bytes(with_header(b'{"x": {"shape": ' + shape + b"}}"))
    with pytest.raises(CheckpointError, match="is no whole safetensors file: fetch it again"):
        num_weights([path])


def test_of_a_giant_file_no_more_is_read_than_a_header_may_have(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 150 * 10**6))
        file.truncate(200 * 10**6)  # takes no room on most disks
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="is no whole safetensors file: fetch it again"):
        num_weights([path])
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


def test_networks_take_turns_only_where_all_of_them_do_not_fit() -> None:
    roomy = MemoryPlan("cuda", PARTS, 19 * GB + WORKING_BYTES)
    assert (roomy.nbytes, roomy.takes_turns, roomy.fits) == (19 * GB, False, True)
    short = replace(roomy, free_bytes=roomy.free_bytes - 1)
    assert (short.takes_turns, short.fits) == (True, True)
    tiny = replace(roomy, free_bytes=9 * GB + WORKING_BYTES - 1)
    assert (tiny.takes_turns, tiny.fits) == (True, False)
    processor = replace(tiny, device="cpu")
    assert (processor.takes_turns, processor.fits) == (False, False)
    unknown = replace(roomy, free_bytes=None)
    assert (unknown.takes_turns, unknown.fits) == (False, True)


def test_a_network_that_stays_leaves_less_room_for_those_that_take_turns() -> None:
    plan = MemoryPlan("cuda", (replace(PARTS[0], stays=True), *PARTS[1:]), 17 * GB + WORKING_BYTES)
    assert (plan.takes_turns, plan.fits) == (True, True)
    assert not replace(plan, free_bytes=17 * GB + WORKING_BYTES - 1).fits
    assert replace(plan, parts=PARTS, free_bytes=17 * GB + WORKING_BYTES - 1).fits


def test_the_plan_is_one_line_for_a_person() -> None:
    plan = MemoryPlan("cuda", PARTS, 16 * GB)
    assert str(plan) == (
        "Memory on cuda: T5 9.0 GB in float16, base 8.0 GB in float16, sr256 2.0 GB in float16, and 2.0 GB to work in; "
        "21.0 GB needed, 16.0 GB free: one network at a time is there."
    )
    assert "THIS WILL NOT FIT" in str(replace(plan, free_bytes=GB))
    roomy = replace(plan, device="cpu", free_bytes=None, published=True)
    assert str(roomy).endswith("to work in; about 21.0 GB needed: all networks stay there.")


def test_free_memory_of_this_machine_is_a_sensible_number() -> None:
    free = free_bytes(torch.device("cpu"))
    assert free is not None
    assert 10**7 < free < 10**14
