"""Which token of a text encoding belongs to which word of the prompt, and the weight that the token has from it.

A tokenizer tells of every token which characters it was made of, through its normalisation ("½" becomes three
characters, "ＲＥＤ" the token RED) and its pieces ("▁straw", "berry"). Where a caption is made of the prompt first,
the two are matched word by word.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import torch
from torch import Tensor

from imagen_core.prompt_weights import WeightedPrompt, Word, parse, words
from imagen_core.text_encoder import TextEncoder


class UnmatchedWords(ValueError):
    """The caption that is made of a prompt has other words, so weights and maps of words cannot be followed into it."""


@dataclass(frozen=True)
class PromptStates:
    """A prompt as a U-Net is given it for n images: states (n, l, width), mask (n, l), see `log_weights` (n, l)."""

    states: Tensor
    mask: Tensor
    log_weights: Tensor | None


def prompt_states(text_encoder: TextEncoder, prompt: str, images: int, device: torch.device) -> PromptStates:
    """Encode a prompt with its weights, the same for every image.

    Raises:
        UnmatchedWords: there are weights, and the caption has other words.
    """
    weighted = parse(prompt)
    encoding, values = text_encoder.encode(weighted.text), log_weights(text_encoder, weighted)
    return PromptStates(
        encoding.states.to(device).expand(images, -1, -1),
        encoding.mask.to(device).expand(images, -1),
        None if values is None else values.to(device).expand(images, -1),
    )


def characters(text_encoder: TextEncoder, text: str) -> list[tuple[int, ...]]:
    """For every token of `text_encoder.encode(text)`, the places in `text` of the characters that it was made of.

    A token of spaces has the character behind them; the end-of-text token and padding have none.

    Raises:
        UnmatchedWords: the caption that the encoder makes of the text has another number of words.
    """
    caption = text_encoder.caption(text)
    origin = _origins(text, caption)
    places = []
    for start, end in text_encoder.spans(text):
        inside = [place for place in range(start, end) if not caption[place].isspace()]
        if not inside and end > start:
            behind = re.compile(r"\S").search(caption, end)
            inside = [behind.start()] if behind else []
        places.append(tuple(dict.fromkeys(origin[place] for place in inside)))
    return places


def log_weights(text_encoder: TextEncoder, weighted: WeightedPrompt) -> Tensor | None:
    """What is added to the attention logits of every token, (1, l): the logarithm of its weight, -inf for 0.

    None where every weight is 1. A token of characters with different weights has their mean.

    Raises:
        UnmatchedWords: see `characters`.
    """
    if weighted.is_plain:
        return None
    values = []
    for places in characters(text_encoder, weighted.text):
        weight = sum(weighted.weights[place] for place in places) / len(places) if places else 1.0
        values.append(math.log(weight) if weight > 0 else -math.inf)
    return torch.tensor([values])


def word_shares(text_encoder: TextEncoder, text: str) -> tuple[tuple[Word, ...], Tensor]:
    """The words of a prompt without syntax, and (words, l): 1 where a token belongs to a word, else 0.

    A word that was cut off with the end of the prompt has no token. Punctuation belongs to no word.

    Raises:
        UnmatchedWords: see `characters`.
    """
    found = words(text)
    of_character = {place: number for number, word in enumerate(found) for place in range(word.start, word.end)}
    tokens = characters(text_encoder, text)
    shares = torch.zeros(len(found), len(tokens))
    for token, places in enumerate(tokens):
        numbers = [of_character[place] for place in places if place in of_character]
        if numbers:
            shares[numbers[0], token] = 1
    return found, shares


def _origins(text: str, caption: str) -> list[int]:
    """For every character of a caption the place in `text` that it came from; inside a word they are matched in order.

    Spaces have the place of whatever word is next.
    """
    if caption == text:
        return list(range(len(text)))
    theirs, ours = (list(re.finditer(r"\S+", each)) for each in (caption, text))
    if len(theirs) != len(ours):
        raise UnmatchedWords("the caption made of the prompt has other words, so no word can be weighed in it")
    origin = [0] * len(caption)
    for made, word in zip(theirs, ours, strict=True):
        scale = (word.end() - word.start()) / (made.end() - made.start())
        for place in range(made.start(), made.end()):
            origin[place] = word.start() + int((place - made.start()) * scale)
    return origin
