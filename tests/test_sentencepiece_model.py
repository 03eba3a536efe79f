"""SentencePiece files, against T5's own tokenizer."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer

from imagen_core.checkpoints import bundled_folder
from imagen_core.sentencepiece_model import read_tokenizer
from tests.sentencepiece_file import field, sentencepiece_file, text, varint

BUNDLED = Tokenizer.from_file(str(bundled_folder() / "tokenizer.json"))
BUNDLED.no_truncation()
FILE = sentencepiece_file(json.loads(BUNDLED.to_str()))


@pytest.mark.parametrize(
    "prompt",
    [
        "a red apple on a wooden table",
        "",
        "  spaces   inside",
        "ﬁve ½ Größe",
        "x" * 300,
        "猫 and \N{CAT}",
        "don't, e.g.",
    ],
)
def test_t5s_own_vocabulary_reads_alike_from_either_file(prompt: str) -> None:
    ours = read_tokenizer(FILE).encode(prompt, add_special_tokens=False)
    theirs = BUNDLED.encode(prompt, add_special_tokens=False)
    assert ours.ids == theirs.ids


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "no piece of it stands for the unknown"),
        (FILE[:-1], "cut off"),
        (b"\x80", "a number has no end"),
        (b"\x0b", "a field is of an unknown kind"),
        (text(1, field(1, 0, varint(3))), "a field that holds text is a number"),
        (text(1, text(1, b"a") + text(2, b"1")), "a score has no four bytes"),
    ],
)
def test_another_file_is_told_in_a_sentence(data: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_tokenizer(data)
