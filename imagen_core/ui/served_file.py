"""A file in a message to the browser, as gradio knows one."""

from __future__ import annotations

from pathlib import Path


def served_file(path: Path) -> dict[str, object]:
    """What stands for the file in a message; gradio copies it to where it serves files and later deletes the copy."""
    return {"path": str(path), "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}
