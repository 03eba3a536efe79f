"""A link as a QR code, so that a phone opens what a screen shows. Drawn here: no other host is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import segno

from imagen_core.ui.errors import sentence

MAX_LENGTH = 2000  # characters; what is longer makes squares that a phone's camera no longer tells apart on a screen
_QUIET_ZONE = 4  # modules around the code, as the standard (ISO/IEC 18004) wants them


def qr_code(address: str) -> str:
    """A QR code as the data URI of an SVG, dark on white whatever the page's colours are.

    Raises ValueError with one sentence.
    """
    if not address.startswith(("http://", "https://")):
        raise ValueError("Only the address of a page becomes a QR code: copy the link instead.")
    if len(address) > MAX_LENGTH:
        raise ValueError(
            f"This link has {len(address):,} characters, and a QR code that a phone can read holds {MAX_LENGTH:,}: "
            "copy the link instead."
        )
    code = segno.make_qr(address, error="l", boost_error=False)  # the fewest, largest squares; a screen has no dirt
    return str(code.svg_data_uri(border=_QUIET_ZONE, dark="#000", light="#fff", omitsize=True))


def make_qr_code(request: Any) -> dict[str, str]:
    """What the browser calls with {"address": ...}; the answer is {"image": data URI} or {"problem": sentence}."""
    try:
        if not isinstance(request, Mapping) or not isinstance(request.get("address"), str):
            return {"problem": "The request has no link: load the page again."}
        return {"image": qr_code(request["address"])}
    except ValueError as error:
        return {"problem": str(error)}
    except Exception as error:
        return {"problem": sentence(error)}
