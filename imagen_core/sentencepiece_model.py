"""T5's tokenizer from a SentencePiece file (`spiece.model`), which is all that some repositories hold of it.

The file is a protocol buffer. Of it are read: field 1, the pieces, each with its text (1), score (2) and kind (3), and
field 3, the normaliser, with its table of replacements (2). The format is described in the SentencePiece project's
`sentencepiece_model.proto`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tokenizers import Tokenizer
from tokenizers.models import Unigram
from tokenizers.normalizers import Precompiled
from tokenizers.pre_tokenizers import Metaspace, Sequence, WhitespaceSplit

_UNKNOWN = 2  # kind of the piece that stands for what the vocabulary cannot spell


def read_tokenizer(data: bytes) -> Tokenizer:
    """The tokenizer that a SentencePiece unigram model in `data` describes, without tokens added around a text.

    Raises:
        ValueError: `data` is no such model.
    """
    vocabulary: list[tuple[str, float]] = []
    replacements, unknown = b"", None
    for number, value in _fields(data):
        if number == 1:
            piece = dict(_fields(_bytes(value)))
            if piece.get(3) == _UNKNOWN:
                unknown = len(vocabulary)
            vocabulary.append((_bytes(piece.get(1)).decode(), _float(piece.get(2, b"\0\0\0\0"))))
        elif number == 3:
            replacements = _bytes(dict(_fields(_bytes(value))).get(2, b""))
    if unknown is None:
        raise ValueError("it is no SentencePiece model: no piece of it stands for the unknown.")
    tokenizer = Tokenizer(Unigram(vocabulary, unk_id=unknown, byte_fallback=False))
    if replacements:
        tokenizer.normalizer = Precompiled(replacements)
    tokenizer.pre_tokenizer = Sequence([WhitespaceSplit(), Metaspace(replacement="▁", prepend_scheme="always")])
    return tokenizer


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a protocol buffer message."""
    start = 0
    while start < len(data):
        key, start = _varint(data, start)
        kind = key & 7
        if kind == 0:
            number, start = _varint(data, start)
            yield key >> 3, number
            continue
        if kind == 2:
            length, start = _varint(data, start)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError("it is no SentencePiece model: a field is of an unknown kind.")
        if start + length > len(data):
            raise ValueError("it is no whole SentencePiece model: it is cut off.")
        yield key >> 3, data[start : start + length]
        start += length


def _varint(data: bytes, start: int) -> tuple[int, int]:
    """The number that begins at `start`, seven bits a byte, and where the next thing begins."""
    number = 0
    for shift in range(0, 70, 7):
        if start >= len(data):
            break
        number |= (data[start] & 127) << shift
        start += 1
        if data[start - 1] < 128:
            return number, start
    raise ValueError("it is no whole SentencePiece model: a number has no end.")


def _bytes(value: int | bytes | None) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("it is no SentencePiece model: a field that holds text is a number.")
    return value


def _float(value: int | bytes) -> float:
    data = _bytes(value)
    if len(data) != 4:
        raise ValueError("it is no SentencePiece model: a score has no four bytes.")
    return float(struct.unpack("<f", data)[0])
