"""Texts in a PNG file, read without decoding its pixels (PNG specification, section 11.3.3)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from imagen_core.link import MAX_LINK_LENGTH
from imagen_core.recipe import MAX_JSON_LENGTH

MAX_SIDE = 4096  # pixels
_MAX_CHUNKS = 10_000  # of a PNG file; 20 MB in the smallest pieces in use are 2,500
_MAX_TEXT = max(MAX_LINK_LENGTH, 4 * MAX_JSON_LENGTH)  # bytes; UTF-8 needs at most four for a character
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class PngTexts:
    """The text chunks of a PNG file. Its pixels are not decoded; every chunk's checksum is compared, once."""

    def __init__(self, data: bytes) -> None:
        """Find them; no text is unpacked yet. ValueError tells what is wrong with the file, EOFError that it ends."""
        if not data.startswith(_SIGNATURE):
            raise ValueError("is no PNG file, and only those carry a recipe")
        self._chunks: list[tuple[bytes, bytes]] = []
        for kind, body in _chunks(data):
            if kind == b"IHDR":
                width, height = struct.unpack(">II", body[:8])
                if max(width, height) > MAX_SIDE:
                    raise ValueError(f"is {width} × {height} pixels, more than {MAX_SIDE} a side")
            if kind in (b"tEXt", b"zTXt", b"iTXt"):
                self._chunks.append((kind, body))

    def text(self, key: str, what: str) -> str | None:
        """The text with a keyword, None without.

        ValueError tells what is wrong with it; it is called `what` there. A second text with the keyword is refused
        before one is unpacked.
        """
        found = [(kind, body) for kind, body in self._chunks if body.startswith(key.encode() + b"\0")]
        if len(found) > 1:
            raise ValueError(f"carries more than one {what}")
        return _text(found[0][0], found[0][1][len(key) + 1 :], what) if found else None


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of the chunks of a PNG file, up to its end chunk; EOFError where that never comes."""
    start = len(_SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, start)
        end = start + 8 + length
        if end + 4 > len(data):
            raise EOFError
        if struct.unpack_from(">I", data, end)[0] != zlib.crc32(memoryview(data)[start + 4 : end]):
            raise ValueError("is damaged: a checksum in it is wrong")
        yield kind, data[start + 8 : end]
        if kind == b"IEND":
            return
        start = end + 4
    raise ValueError(f"is damaged: it is made of more than {_MAX_CHUNKS:,} chunks")


def _text(kind: bytes, content: bytes, what: str) -> str:
    """The text of a text chunk behind its keyword (PNG specification, section 11.3.3); never unpacks a bomb."""
    if kind == b"tEXt":
        return content.decode("latin-1")
    packed = kind == b"zTXt" or content[:1] == b"\1"
    # Before the text: the compression method; in iTXt a flag, the method, a language and a translated keyword.
    content = content[1:] if kind == b"zTXt" else content[2:].split(b"\0", 2)[-1]
    if packed:
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(content, _MAX_TEXT)
        if unpacker.unconsumed_tail:
            raise ValueError(f"carries a {what} of more than {_MAX_TEXT:,} bytes")
    return content.decode("latin-1" if kind == b"zTXt" else "utf-8")
