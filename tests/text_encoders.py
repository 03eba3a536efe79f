"""The bundled text encoder, and quick ones with its tokenizer."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from tokenizers import Tokenizer
from transformers import T5Config, T5EncoderModel

from imagen_core.checkpoints import bundled_folder, load_text_encoder
from imagen_core.shards import read_manifest
from imagen_core.text_encoder import TextEncoder, TextEncoding
from tests.conftest import TINY_T5, tiny_text_encoder


@pytest.fixture(scope="session")
def bundled() -> TextEncoder:
    return load_text_encoder(bundled_folder(), read_manifest(bundled_folder()))


@pytest.fixture
def tiny() -> TextEncoder:
    """The real tokenizer before a T5 of one layer, nothing kept."""
    return tiny_text_encoder()


@cache
def with_limit(max_tokens: int) -> TextEncoder:
    """For what does not depend on the prompts before."""
    torch.manual_seed(0)
    model = T5EncoderModel(T5Config(vocab_size=32128, **TINY_T5))
    return TextEncoder(model, Tokenizer.from_file(str(bundled_folder() / "tokenizer.json")), max_tokens)


def runs_of(encoder: TextEncoder) -> list[None]:
    """A list that from now on grows with every run of the encoder's network."""
    runs: list[None] = []
    encoder.model.register_forward_hook(lambda *_: runs.append(None))
    return runs


def assert_same(a: TextEncoding, b: TextEncoding) -> None:
    assert torch.equal(a.mask, b.mask)
    assert torch.equal(a.states, b.states)
