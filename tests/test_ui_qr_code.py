"""QR codes: a camera reads the very link in them, and what is too long is told."""

from __future__ import annotations

import io
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from imagen_core.recipe import Recipe
from imagen_core.ui.qr_code import MAX_LENGTH, make_qr_code, qr_code

PAGE = "https://huggingface.co/spaces/one/two?"


def read(uri: str) -> str:
    """What an independent reader of barcodes sees in the picture of a data URI."""
    zxingcpp = pytest.importorskip("zxingcpp", reason="zxing-cpp reads QR codes: pip install -r tests/requirements.txt")
    import resvg_py

    kind, _, svg = uri.partition(",")
    assert kind == "data:image/svg+xml;charset=utf-8"
    data = bytes(resvg_py.svg_to_bytes(svg_string=unquote(svg), width=1000))
    picture = Image.open(io.BytesIO(data)).convert("L")
    (found,) = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)  # bars are seen in dots at times
    return str(found.text)


@settings(max_examples=10, deadline=None)
@example("", 1_000_000)
@given(st.text(max_size=100).filter(lambda text: text.isprintable()), st.integers(0, 2**32 - 1))
def test_a_reader_sees_the_link(prompt: str, seed: int) -> None:
    address = PAGE + Recipe(prompt=prompt, seed=seed).to_link()
    assert read(qr_code(address)) == address


def test_the_longest_link_can_be_read() -> None:
    address = (PAGE + "prompt=" + "apple+" * 400)[:MAX_LENGTH]
    assert read(qr_code(address)) == address


def test_a_link_that_is_too_long_is_told() -> None:
    address = (PAGE + "a" * MAX_LENGTH)[: MAX_LENGTH + 1]
    problem = "This link has 2,001 characters, and a QR code that a phone can read holds 2,000: copy the link instead."
    assert make_qr_code({"address": address}) == {"problem": problem}


@pytest.mark.parametrize(
    "asked", [None, 7, [], {}, {"address": 7}, {"address": "javascript:alert(1)"}, {"address": "\ud800"}]
)
def test_what_is_no_address_is_told(asked: object) -> None:
    assert list(make_qr_code(asked)) == ["problem"]
