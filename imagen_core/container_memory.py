"""The memory that a container may still take, where it has a limit of its own (control groups of Linux).

What the system calls available is that of the whole machine. A Space of 16 GB on a machine of hundreds is ended by the
kernel at 16.
"""

from __future__ import annotations

from pathlib import Path

# By version 2 and 1: the limit, what is used of it, and in memory.stat what of that only keeps files and can be had.
_FILES = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)


def container_bytes(groups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """The bytes below the limit of this process's container; None where there is no limit that can be read."""
    for limit, used, statistics, kept in _FILES:
        try:
            taken = int((groups / used).read_text())
            most = int((groups / limit).read_text())  # no number: "max"
            told = dict(line.split() for line in (groups / statistics).read_text().splitlines())
            return max(0, most - taken + int(told.get(kept, 0)))
        except (OSError, ValueError):
            continue
    return None
