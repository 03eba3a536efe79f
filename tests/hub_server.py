"""A small Hub on this machine: it answers as the real one does, for one repository that is a folder."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Answers:
    """What the Hub serves.

    refusal: status and error code of every answer, or, where it `lists` what there is, of files alone.
    cut: files whose content breaks off.
    """

    folder: Path
    refusal: tuple[int, str] | None = None
    cut: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    extra_size: int = 0
    silent: threading.Event | None = None
    lists: bool = False


@contextmanager
def served(answers: Answers) -> Iterator[str]:
    """The address of a Hub that gives these answers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            path = unquote(self.path.partition("?")[0])
            answers.asked.append(f"{self.command} {path}")
            if answers.silent is not None:
                answers.silent.wait(10)
            listing = path.startswith("/api/models/")
            if answers.refusal is not None and not (answers.lists and listing):
                status, code = answers.refusal
                self.send(status, b"{}", body, {"X-Error-Code": code, "X-Error-Message": code})
            elif listing:
                files = [file for file in sorted(answers.folder.rglob("*")) if file.is_file()]
                siblings = [
                    {
                        "rfilename": str(file.relative_to(answers.folder)),
                        "size": file.stat().st_size + answers.extra_size,
                        "blobId": hashlib.sha1(file.read_bytes()).hexdigest(),
                    }
                    for file in files
                ]
                told = {"id": "a/b", "modelId": "a/b", "sha": COMMIT, "siblings": siblings, "private": False}
                tree = [{"type": "file", "path": one["rfilename"], "size": one["size"], "oid": "0"} for one in siblings]
                self.send(200, json.dumps(tree if "/tree/" in path else told).encode(), body, {})
            else:
                name = path.split("/resolve/", 1)[1].partition("/")[2]
                data = (answers.folder / name).read_bytes()
                tag = hashlib.sha1(data).hexdigest()
                headers = {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
                self.send(200, data, body, headers, cut=name in answers.cut)

        def send(self, status: int, data: bytes, body: bool, headers: dict[str, str], cut: bool = False) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(data[: len(data) // 2] if cut else data)
            if cut:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        if answers.silent is not None:
            answers.silent.set()
        server.shutdown()
        server.server_close()
        thread.join()


def everything(sizes: Mapping[str, int]) -> tuple[str, ...]:
    """All files of a repository are wanted."""
    return tuple(sizes)


def without_token(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """No token of whoever runs the tests, neither from the environment nor from their home folder."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(folder / "token"))
