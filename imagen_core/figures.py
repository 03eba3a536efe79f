"""The JSON file that a measuring command writes; whether it can be written is found out before all measuring."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from imagen_core.metadata import MetadataError, check_destination, write


def add_json_flag(parser: argparse.ArgumentParser) -> None:
    """Add --json, a path that can be written, or None."""
    parser.add_argument("--json", type=_destination, metavar="FILE", help="write the figures to this file")


def write_figures(figures: Mapping[str, object], path: Path) -> None:
    """Write the file whole or not at all. Raises `MetadataError`."""
    write((json.dumps(figures, indent=1) + "\n").encode(), path)


def _destination(text: str) -> Path:
    path = Path(text)
    try:
        check_destination(path)
    except MetadataError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return path
