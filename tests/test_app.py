"""The page's own process, as a user starts it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from imagen_core.model_names import allowed_names
from tests.ui_page import free_port

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow


@contextmanager
def app(*flags: str) -> Iterator[subprocess.Popen[str]]:
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRADIO_")}
    process = subprocess.Popen([sys.executable, "app.py", *flags], cwd=ROOT, env=environment, **quiet)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def test_page_is_served_on_the_port_that_was_asked_for() -> None:
    port = free_port()
    with app("--port", str(port)) as process:
        end = time.monotonic() + 60
        while True:
            assert process.poll() is None
            assert time.monotonic() < end
            try:
                page = httpx.get(f"http://127.0.0.1:{port}/")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        assert page.status_code == 200
        config = httpx.get(f"http://127.0.0.1:{port}/config").json()
        assert config["title"] == "Imagen"
        assert config["analytics_enabled"] is False
        assert config["enable_queue"]


def test_port_in_use_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with app("--port", port) as process:
            output, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors == f"Port {port} cannot be used: choose another one with --port.\n"
    assert output == ""


def test_unknown_model_is_refused_at_once() -> None:
    with app("--model", "no-such-model") as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.endswith(f"--model 'no-such-model' is neither a folder nor one of: {allowed_names()}.\n")


@pytest.mark.skipif(find_spec("mcp") is not None, reason="mcp is installed here")
def test_a_missing_optional_package_is_named() -> None:
    with app("--mcp") as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors == '--mcp needs a package that is not installed: pip install "gradio[mcp]==6.31.0"\n'


def test_entry_point_stays_small() -> None:
    assert len((ROOT / "app.py").read_text().splitlines()) < 40
