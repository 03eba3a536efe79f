"""Serves the page: `python app.py`, then open the address that it prints. The entry point of a Space, too."""

import os
import sys

from imagen_core.ui.flags import read_flags
from imagen_core.zero_gpu import prepare

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before gradio is imported, which asks an outside host otherwise
prepare()


def main() -> None:
    """Read the flags and serve until interrupted; end with a sentence where it cannot be served."""
    flags = read_flags()
    from imagen_core.ui.model import offered
    from imagen_core.ui.serving import Place, PlaceError, serve  # here, because this takes seconds

    address = f"https://huggingface.co/spaces/{space}" if (space := os.environ.get("SPACE_ID")) else ""
    place = Place(flags.host, flags.port, flags.share, flags.mcp)
    try:
        serve(offered(flags.model, flags.options), place, default=flags.model.recipe, address=address)
    except PlaceError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
