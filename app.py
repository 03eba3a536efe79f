"""Serves the page: `python app.py`, then open the address that it prints. The entry point of a Space, too."""

import argparse
import os
import sys
from pathlib import Path

from imagen_core.presets import LOCAL, PRESETS
from imagen_core.recipe import Recipe

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before gradio is imported, which asks an outside host otherwise


def main() -> int | str:
    """Read the flags and serve until interrupted; return a sentence where the port is taken."""
    parser = argparse.ArgumentParser(description="Imagen in a browser.")
    parser.add_argument("--host", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, help="port to listen on (default: the first free one from 7860)")
    parser.add_argument("--share", action="store_true", help="make a public address through gradio's tunnel")
    parser.add_argument("--model", default="bundled", help="name of a preset, or a folder with weights")
    flags = parser.parse_args()

    if flags.model not in PRESETS and not Path(flags.model).is_dir():
        parser.error(f"--model {flags.model!r} is neither a folder nor one of: {', '.join(PRESETS)}.")
    from imagen_core.ui.demo import Place, build, launch
    from imagen_core.ui.model import pretrained

    address = f"https://huggingface.co/spaces/{space}" if (space := os.environ.get("SPACE_ID")) else ""
    default = PRESETS[flags.model].recipe if flags.model in PRESETS else Recipe(model=LOCAL)
    demo = build(lambda: pretrained(flags.model), default=default, address=address)
    try:
        launch(demo, Place(flags.host, flags.port, flags.share))
    except OSError:
        return f"Port {flags.port or 7860} cannot be used: choose another one with --port."
    return 0


if __name__ == "__main__":
    sys.exit(main())
