"""The page in a process of its own, as a user starts it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAGE_TIMEOUT = 120.0


@contextmanager
def page() -> Iterator[tuple[str, float]]:
    """`python app.py` as a user starts it: its address, and the seconds until it answered.

    Raises:
        RuntimeError: it did not answer in time, or ended.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = Path(__file__).resolve().parent.parent
    started = time.monotonic()
    command = [sys.executable, str(root / "app.py"), "--port", str(port)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(process, f"http://127.0.0.1:{port}/")
            yield f"http://127.0.0.1:{port}/", time.monotonic() - started
        finally:
            process.terminate()


def _wait_for(process: subprocess.Popen[bytes], address: str) -> None:
    end = time.monotonic() + PAGE_TIMEOUT
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the page ended with exit code {process.returncode} before it answered.")
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"the page did not answer within {PAGE_TIMEOUT:.0f} seconds.")
