"""The memory of a container, read of files as Linux writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagen_core.container_memory import container_bytes

GB = 2**30


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


def second(limit: str, used: int = 3 * GB, kept: int = GB) -> dict[str, str]:
    statistics = f"anon 7\ninactive_file {kept}\nactive_file 5\n"
    return {"memory.max": f"{limit}\n", "memory.current": f"{used}\n", "memory.stat": statistics}


def first(limit: int) -> dict[str, str]:
    statistics = f"inactive_file 1\ntotal_inactive_file {GB}\n"
    return {
        "memory/memory.limit_in_bytes": f"{limit}\n",
        "memory/memory.usage_in_bytes": f"{3 * GB}\n",
        "memory/memory.stat": statistics,
    }


def test_what_only_keeps_files_can_be_had(tmp_path: Path) -> None:
    assert container_bytes(write(tmp_path, second(str(16 * GB)))) == 14 * GB


def test_both_versions_are_read(tmp_path: Path) -> None:
    assert container_bytes(write(tmp_path, first(16 * GB))) == 14 * GB


def test_a_container_that_uses_all_has_nothing_left(tmp_path: Path) -> None:
    assert container_bytes(write(tmp_path, second(str(2 * GB), kept=0))) == 0


@pytest.mark.parametrize("files", [{}, second("max"), {"memory.max": f"{GB}\n"}, second("x")])
def test_without_a_limit_nothing_is_told(tmp_path: Path, files: dict[str, str]) -> None:
    assert container_bytes(write(tmp_path, files)) is None
