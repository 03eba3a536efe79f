"""The bundled T5: how prompts are masked, encoded and kept, and what the states mean."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor
from transformers import T5Config, T5EncoderModel

from imagen_core.checkpoints import bundled_folder
from imagen_core.text_encoder import KEPT_PROMPTS, TextEncoder
from tests.conftest import TINY_T5, tiny_text_encoder
from tests.text_encoders import assert_same, bundled, runs_of, tiny

__all__ = ["bundled", "tiny"]  # fixtures


def meaning(encoder: TextEncoder, prompt: str) -> Tensor:
    """Mean of the states of the tokens that count, (width,)."""
    encoding = encoder.encode(prompt)
    return encoding.states[0][encoding.mask[0]].mean(dim=0)


def likeness(encoder: TextEncoder, a: str, b: str) -> float:
    return float(F.cosine_similarity(meaning(encoder, a), meaning(encoder, b), dim=0))


# Special tokens


@pytest.mark.parametrize("special", ["<pad>", "</s>", "<unk>", "<extra_id_0>", "<extra_id_99>"])
def test_a_special_token_that_a_user_types_is_plain_text(bundled: TextEncoder, special: str) -> None:
    """Once "</s>" and "<pad>" in a prompt became the end of the text and padding: the vocabulary holds them whole."""
    plain = special.replace("<", "🐱")  # the same with another sign that the vocabulary does not know
    assert bundled.read(f"a {special} b").num_tokens == bundled.read(f"a {plain} b").num_tokens
    assert_same(bundled.encode(f"a {special} b"), bundled.encode(f"a {plain} b"))
    assert bundled.read(f"red{special}").unknown == (f"red{special}",)


def test_text_behind_a_typed_end_of_text_still_counts(bundled: TextEncoder) -> None:
    assert likeness(bundled, "a </s> red apple", "a </s> blue car") < 0.95


# Encoding


@pytest.mark.parametrize("prompt", ["A RED APPLE", "A Red Apple", " a red apple "])
def test_the_bundled_encoder_reads_capitals_as_small_letters(bundled: TextEncoder, prompt: str) -> None:
    assert bundled.read(prompt).kept == prompt.strip()  # told as typed
    assert_same(bundled.encode(prompt), bundled.encode("a red apple"))
    assert len(bundled.spans(prompt)) == bundled.encode(prompt).mask.shape[1]


def test_an_empty_prompt_masks_everything_out(tiny: TextEncoder) -> None:
    for prompt in ("", " ", "  \n\t "):
        assert not tiny.encode(prompt).mask.any()
    encoding = tiny.encode_batch(["", "a red apple", "   "])
    assert encoding.mask.any(dim=1).tolist() == [False, True, False]


def test_a_padded_batch_equals_each_prompt_alone(bundled: TextEncoder) -> None:
    prompts = ["a cat", "", "a cartoon drawing of three red apples to the left of a house, at sunset", "two dogs"]
    batch = bundled.encode_batch(prompts)
    assert batch.states.shape[:2] == batch.mask.shape == (4, max(bundled.read(p).num_tokens for p in prompts))
    for prompt, states, mask in zip(prompts, batch.states, batch.mask, strict=True):
        alone = bundled.encode(prompt)
        count = int(alone.mask.sum())
        assert mask.tolist() == [place < count for place in range(len(mask))]
        torch.testing.assert_close(states[:count], alone.states[0, :count], atol=2e-5, rtol=1e-4)


def test_an_encoding_is_the_networks_own_output(tiny: TextEncoder) -> None:
    torch.manual_seed(0)
    model = T5EncoderModel(T5Config(vocab_size=32128, **TINY_T5)).eval()
    ids = torch.tensor([[1131, 8947, 1]])  # "red", "apple", end of text
    with torch.no_grad():
        expected = model(input_ids=ids).last_hidden_state
    torch.testing.assert_close(tiny.encode("red apple").states, expected)


def test_a_prompt_is_encoded_once(tiny: TextEncoder) -> None:
    runs = runs_of(tiny)
    first = tiny.encode("a red apple")
    assert tiny.is_cached("a red apple")
    assert not tiny.is_cached("a red apple ")
    assert tiny.encode("a red apple") is first
    assert len(runs) == 1
    tiny.encode("a blue apple")
    assert len(runs) == 2


def test_the_prompt_that_was_used_longest_ago_is_forgotten_first(tiny: TextEncoder) -> None:
    runs = runs_of(tiny)
    for number in range(KEPT_PROMPTS):
        tiny.encode(f"{number}")
    tiny.encode("0")  # used again, so "1" is now the oldest
    tiny.encode("one more")
    assert tiny.is_cached("0")
    assert not tiny.is_cached("1")
    assert tiny.is_cached("2")
    assert len(runs) == KEPT_PROMPTS + 1


def test_threads_get_the_same_encodings_as_one_after_the_other(tiny: TextEncoder) -> None:
    runs, prompts = runs_of(tiny), [f"{number} red apples" for number in range(6)]
    with ThreadPoolExecutor(8) as pool:
        encodings = list(pool.map(tiny.encode, prompts * 8))
    assert len(runs) == len(prompts)
    alone = tiny_text_encoder()
    for prompt, encoding in zip(prompts * 8, encodings, strict=True):
        assert_same(encoding, alone.encode(prompt))


def test_the_callers_tokenizer_stays_as_it_was() -> None:
    tokenizer = Tokenizer.from_file(str(bundled_folder() / "tokenizer.json"))
    before = tokenizer.to_str()
    TextEncoder(T5EncoderModel(T5Config(vocab_size=32128, **TINY_T5)), tokenizer)
    assert tokenizer.to_str() == before


# Meaning: what no other weights than T5's give


@pytest.mark.parametrize(
    ("word", "near", "far"),
    [
        ("a puppy", "a dog", "a car"),
        ("a kitten", "a cat", "a guitar"),
        ("an automobile", "a car", "a cat"),
        ("a toad", "a frog", "a house"),
        ("a spaceship", "a rocket", "a carrot"),
        ("a bunny", "a rabbit", "a bus"),
        ("a plane", "an airplane", "a lemon"),
    ],
)
def test_like_meanings_have_like_states(bundled: TextEncoder, word: str, near: str, far: str) -> None:
    assert likeness(bundled, word, near) > likeness(bundled, word, far) + 0.05


def test_a_state_knows_the_words_around_it(bundled: TextEncoder) -> None:
    """The noun's own state differs with the colour before it: attention ran, not a lookup of words."""
    red, blue = (bundled.encode(f"{colour} apple").states[0, 1] for colour in ("red", "blue"))
    assert F.cosine_similarity(red, blue, dim=0) < 0.98
    left = bundled.encode("cat left of dog").states[0]
    right = bundled.encode("dog left of cat").states[0]
    assert not torch.allclose(left[0], right[3], atol=1e-2)  # "cat", first and last
