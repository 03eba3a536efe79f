"""A tokenizer's vocabulary as a SentencePiece file, written byte by byte."""

from __future__ import annotations

import base64
import struct
from typing import Any


def varint(number: int) -> bytes:
    data = b""
    while number > 127:
        data += bytes([number & 127 | 128])
        number >>= 7
    return data + bytes([number])


def field(number: int, kind: int, payload: bytes) -> bytes:
    return varint(number << 3 | kind) + payload


def text(number: int, payload: bytes) -> bytes:
    return field(number, 2, varint(len(payload)) + payload)


def sentencepiece_file(tokenizer: dict[str, Any]) -> bytes:
    """The file of a unigram tokenizer, given as the values of its tokenizer.json."""
    data = b""
    for index, (piece, score) in enumerate(tokenizer["model"]["vocab"]):
        kind = 2 if index == tokenizer["model"]["unk_id"] else 1
        body = text(1, piece.encode()) + field(2, 5, struct.pack("<f", score)) + field(3, 0, varint(kind))
        data += text(1, body)
    data += text(2, field(3, 0, varint(1)) + field(4, 0, varint(32128)))  # a trainer's settings, which nobody needs
    normalizer = tokenizer["normalizer"]
    if normalizer:
        first = normalizer["normalizers"][0] if normalizer["type"] == "Sequence" else normalizer
        data += text(3, text(1, b"nmt_nfkc") + text(2, base64.b64decode(first["precompiled_charsmap"])))
    return data
