"""From a network's attention to tokens to that to the words of a prompt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from imagen_core.events import WordAttention
from imagen_core.prompt_weights import parse
from imagen_core.sampler import Step
from imagen_core.text_encoder import TextEncoder
from imagen_core.word_tokens import UnmatchedWords, word_shares


@dataclass(frozen=True)
class WordJoiner:
    """The words of one prompt, and (words, l): 1 where a token belongs to a word, else 0."""

    words: tuple[str, ...]
    shares: Tensor

    @torch.inference_mode()
    def __call__(self, maps: Tensor) -> WordAttention:
        """Join the maps of tokens, (n, 1 + l, h, w) of `AttentionRecord.maps`; padding may be behind them."""
        tokens = maps[:, 1 : 1 + self.shares.shape[1]]
        joined = torch.einsum("kl,nlyx->nkyx", self.shares.to(tokens.device), tokens)  # (n, words, h, w)
        text_share = 1 - maps[:, 0].mean(dim=(1, 2))
        return WordAttention(self.words, joined, tuple(text_share.clamp(0, 1).tolist()))


def word_joiner(text_encoder: TextEncoder, prompt: str) -> WordJoiner | None:
    """For the prompt of a stage; words without a token, behind the cut, are left out.

    None where the encoder makes a caption of other words of the prompt.
    """
    try:
        found, shares = word_shares(text_encoder, parse(prompt).text)
    except UnmatchedWords:
        return None
    known = [number for number, row in enumerate(shares) if row.any()]
    return WordJoiner(tuple(found[number].text for number in known), shares[known])


def joined(
    steps: Iterator[Step], text_encoder: TextEncoder, prompt: str, mixed: object | None = None
) -> Iterator[Step]:
    """Steps of a stage that draws `prompt`, each with `words` where its attention was recorded.

    Where another prompt is `mixed` in, a token is of both and belongs to no word: those steps have none.
    """
    joiner = word_joiner(text_encoder, prompt) if mixed is None else None
    for step in steps:
        if joiner is None or step.attention is None:
            yield step
        else:
            yield replace(step, words=joiner(step.attention))
