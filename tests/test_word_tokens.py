"""Which tokens make a word, in the real tokenizer, and what weight they have from it."""

from __future__ import annotations

import math

import pytest
import torch
from tokenizers import Tokenizer
from transformers import T5Config, T5EncoderModel

from imagen_core.captions import plain_caption
from imagen_core.checkpoints import bundled_folder
from imagen_core.prompt_weights import parse
from imagen_core.text_encoder import TextEncoder
from imagen_core.word_tokens import UnmatchedWords, characters, log_weights, prompt_states, word_shares
from tests.conftest import TINY_T5, tiny_text_encoder

ENCODER = tiny_text_encoder()


def tokens_of(text: str, encoder: TextEncoder = ENCODER) -> dict[str, list[str]]:
    """The pieces of every word, in order."""
    pieces = [*encoder.tokenizer.encode(encoder.caption(text), add_special_tokens=False).tokens, "</s>"]
    found, shares = word_shares(encoder, text)
    assert shares.sum(dim=0).max() <= 1  # no token is of two words
    spelt = [[pieces[token] for token in row.nonzero().flatten().tolist()] for row in shares]
    return dict(zip((word.text for word in found), spelt, strict=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a red apple, on  a", {"red": ["▁red"], "apple": ["▁apple"], "on": ["▁on"], "a": ["▁", "a"]}),
        ("½ ﬁsh ＲＥＤ", {"½": ["▁1", "⁄", "2"], "ﬁsh": ["▁fish"], "ＲＥＤ": ["▁", "RED"]}),
        ("strawberry hummingbird 🍎🐢!", {"hummingbird": ["▁", "h", "umming", "bird"], "🍎🐢": ["▁", "🍎🐢"]}),
        ("Ångström\n日本語", {"Ångström": ["▁", "Å", "ng", "ström"], "日本語": ["▁", "日本語"]}),
        ("</s> (cat)", {"</s>": ["▁", "<", "/", "s", ">"], "cat": ["cat"]}),
    ],
)
def test_pieces_are_joined_to_the_words_they_spell(text: str, expected: dict[str, list[str]]) -> None:
    assert {word: pieces for word, pieces in tokens_of(text).items() if word in expected} == expected


def test_there_is_a_place_for_every_token_of_the_encoding() -> None:
    for text in ("", "a red apple", "½ 🍎", "word " * 100):
        states = ENCODER.encode(text).states
        assert len(characters(ENCODER, text)) == states.shape[1]
        assert word_shares(ENCODER, text)[1].shape[1] == states.shape[1]
    found, shares = word_shares(ENCODER, "word " * 100)
    assert len(found) == 100
    assert shares.sum(dim=1).tolist() == [1.0] * 63 + [0.0] * 37  # 63 words, the end of the text, the rest is cut off


def test_weights_reach_their_tokens() -> None:
    weighted = parse("a (gooseberry:2), (½ ＲＥＤ:0) (ca:3)t")
    values = log_weights(ENCODER, weighted)
    assert values is not None
    pieces = ENCODER.tokenizer.encode(weighted.text, add_special_tokens=False).tokens
    got = dict(zip(pieces, values[0].exp().tolist(), strict=False))
    assert got["▁goose"] == got["berry"] == pytest.approx(2)
    assert got["⁄"] == got["RED"] == 0
    assert got[","] == got["a"] == 1
    assert got["▁cat"] == pytest.approx((3 + 3 + 1) / 3)  # half in, half out: the mean over its letters
    assert values[0, -1] == 0  # the end of the text
    assert values.shape == ENCODER.encode(weighted.text).mask.shape


def test_weights_of_one_are_no_weights() -> None:
    for prompt in ("a red apple", "a (red:1) apple", "(:3)", ""):
        assert log_weights(ENCODER, parse(prompt)) is None
    states = prompt_states(ENCODER, "a (red:1) apple", 3, torch.device("cpu"))
    assert states.log_weights is None
    assert torch.equal(states.states[1:2], ENCODER.encode("a red apple").states)


def deepfloyd_like(caption: str | None = None) -> TextEncoder:
    """Padded to 77, and a prompt becomes a caption first."""
    model = T5EncoderModel(T5Config(vocab_size=32128, **TINY_T5))
    tokenizer = Tokenizer.from_file(str(bundled_folder() / "tokenizer.json"))
    return TextEncoder(model, tokenizer, 77, True, (lambda _: caption) if caption else plain_caption)


def test_weights_follow_into_a_caption() -> None:
    encoder = deepfloyd_like()
    values = log_weights(encoder, parse("  A (RED:2) İ (Apple:0.5) "))
    assert values is not None
    assert values.shape == (1, 77) == encoder.encode("A RED").mask.shape
    pieces = encoder.tokenizer.encode(plain_caption("  A RED İ Apple "), add_special_tokens=False).tokens
    got = dict(zip(pieces, values[0].tolist(), strict=False))
    assert got["▁red"] == pytest.approx(math.log(2))
    assert got["▁apple"] == pytest.approx(math.log(0.5))
    assert got["a"] == 0
    assert values[0, len(pieces) :].abs().sum() == 0


def test_a_caption_of_other_words_is_refused_where_there_are_weights() -> None:
    encoder = deepfloyd_like("something quite different")
    assert log_weights(encoder, parse("a red apple on a table")) is None
    with pytest.raises(UnmatchedWords, match="the caption made of the prompt has other words"):
        log_weights(encoder, parse("a (red:2) apple on a table"))
