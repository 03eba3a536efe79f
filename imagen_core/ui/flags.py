"""What the page is started with. No gradio here, so that a mistake is told at once."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from imagen_core.checkpoint_error import CheckpointError
from imagen_core.deepfloyd_options import Options
from imagen_core.model_flags import add_model_flags, read_options
from imagen_core.model_names import ModelName, allowed_names, model_named
from imagen_core.presets import PRESETS
from imagen_core.validation import Whole, shown

_PORT = Whole(1, 65535)


@dataclass(frozen=True)
class Flags:
    """What the page is started with.

    model: the one that it begins with; options: how that is loaded. host, port: None for the usual ones. share: a
    public address. mcp: a tool of the Model Context Protocol.
    """

    model: ModelName
    options: Options
    host: str | None
    port: int | None
    share: bool
    mcp: bool


def _port(text: str) -> int:
    port = _PORT.read(text)
    if isinstance(port, int) and _PORT.low <= port <= _PORT.high:
        return port
    raise argparse.ArgumentTypeError(f"must be a whole number from {_PORT.low} to {_PORT.high}, not {shown(text)}")


def read_flags(arguments: Sequence[str] | None = None) -> Flags:
    """Read `arguments`, by default those of the process; exits with 2 and a sentence where they are wrong."""
    parser = argparse.ArgumentParser(description="Imagen in a browser.")
    add = parser.add_argument
    add("--host", help="address to listen on, 0.0.0.0 for all of your network (default: this machine only)")
    add("--port", type=_port, help="port to listen on (default: the first free one from 7860)")
    add("--share", action="store_true", help="make a public address through gradio's tunnel")
    mcp = "offer generate as a tool of the Model Context Protocol, too; needs the package gradio[mcp]"
    add("--mcp", action="store_true", help=mcp)
    names = ", ".join(PRESETS)
    add("--model", default="bundled", help=f"{names}, a repository (owner/name), or a folder (default: bundled)")
    add_model_flags(parser)
    given = parser.parse_args(arguments)
    model = model_named(given.model)
    if model is None:
        parser.error(f"--model {given.model!r} is neither a folder nor one of: {allowed_names()}.")
    try:
        options = read_options(given, model)
    except CheckpointError as error:
        parser.error(str(error))
    return Flags(model, options, given.host, given.port, given.share, given.mcp)
