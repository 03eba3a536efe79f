"""The frozen T5 text encoder: token states and mask of a prompt (section 2.1 of arXiv 2205.11487).

Reading a prompt (tokens, cut point, unknown words) needs the tokenizer only and takes no time; encoding runs T5 once
per prompt and keeps the result, so that a change of any other setting never runs it again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import Sequence, Split
from torch import Tensor, nn

KEPT_PROMPTS = 256


@dataclass(frozen=True)
class Reading:
    """How the tokenizer sees a prompt.

    num_tokens counts the end-of-text token and what lies behind the limit; `kept` and `cut` are the parts of the
    prompt before and behind the limit; `unknown` the words, in order and once each, that its vocabulary cannot spell.
    All as typed, where reading the prompt changes no more of it than capitals, else as it is read.
    """

    num_tokens: int
    max_tokens: int
    kept: str
    cut: str
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Marks:
    """A tokenizer's own tokens by their names.

    start: before a text, "" for none; end: behind it; unknown: for what its vocabulary cannot spell, "" where it can
    spell all; padding: the number of the one that fills up.
    """

    start: str = ""
    end: str = "</s>"
    unknown: str = "<unk>"
    padding: int = 0


T5_MARKS = Marks()


@dataclass(frozen=True)
class TextEncoding:
    """Token states (1, l, width) and mask (1, l), True where a token counts. An empty prompt has no such token."""

    states: Tensor
    mask: Tensor


class TextEncoder:
    """T5 with its tokenizer, and the encodings of the last prompts.

    Safe to use from several threads; one prompt is encoded at a time.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Tokenizer,
        max_tokens: int = 64,
        padded: bool = False,
        caption: Callable[[str], str] = str,
        marks: Marks = T5_MARKS,
    ) -> None:
        """Take a `T5EncoderModel`-like module and a fast tokenizer.

        max_tokens: counts the end-of-text token. padded: every text is `max_tokens` long, behind its tokens padding,
        which T5 does not attend to but gives states for; a U-Net trained so takes them as text, whatever the mask says.
        caption: what becomes of a prompt before it is read; what is told of the prompt is told of the result.
        marks: the tokenizer's own tokens.
        """
        self._model = model.eval().requires_grad_(False)
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        # A prompt that spells a special token, "</s>" say, is text like any other: it is not taken out beforehand, and
        # as "<" stands for itself, no piece of the vocabulary matches it whole (only special tokens hold a "<").
        self._tokenizer.encode_special_tokens = True
        self._tokenizer.pre_tokenizer = Sequence([self._tokenizer.pre_tokenizer, Split("<", "isolated")])
        self._unknown_id = self._tokenizer.token_to_id(marks.unknown) if marks.unknown else None
        self._start_ids = [self._tokenizer.token_to_id(marks.start)] if marks.start else []
        self._end_id = self._tokenizer.token_to_id(marks.end)
        self._padding_id = marks.padding
        self.max_tokens = max_tokens
        self._room = max_tokens - len(self._start_ids) - 1  # tokens of the text itself
        self._padded = padded
        self.caption = caption
        self._kept: OrderedDict[str, TextEncoding] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, prompt: str) -> Reading:
        """Tell how many tokens a prompt has, where it is cut, and which words are unknown. Runs no network."""
        caption = self.caption(prompt)
        encoding = self._tokenizer.encode(caption, add_special_tokens=False)
        typed = prompt.strip()
        prompt = typed if len(typed) == len(caption) and typed.lower() == caption else caption
        cut_at = len(prompt) if len(encoding.ids) <= self._room else encoding.offsets[self._room][0]
        unknown = [
            _word_around(prompt, start, end)
            for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
            if token == self._unknown_id and prompt[start:end].strip()
        ]
        return Reading(
            num_tokens=len(self._start_ids) + len(encoding.ids) + 1,
            max_tokens=self.max_tokens,
            kept=prompt[:cut_at],
            cut=prompt[cut_at:],
            unknown=tuple(dict.fromkeys(unknown)),
        )

    @property
    def model(self) -> nn.Module:
        """T5 itself, for who decides on which device it is."""
        return self._model

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer as it is used here."""
        return self._tokenizer

    def is_cached(self, prompt: str) -> bool:
        """Whether `encode` would return without running T5."""
        return self.caption(prompt) in self._kept

    def encode(self, prompt: str) -> TextEncoding:
        """Encode a prompt; tokens behind the limit are left out. The same prompt is encoded once.

        An empty prompt (or one of spaces only) masks everything out: it is the unconditional case.
        """
        caption = self.caption(prompt)
        with self._lock:
            if caption in self._kept:
                self._kept.move_to_end(caption)
                return self._kept[caption]
            encoding = self._run([caption])
            self._kept[caption] = encoding
            if len(self._kept) > KEPT_PROMPTS:
                self._kept.popitem(last=False)
            return encoding

    def spans(self, prompt: str) -> tuple[tuple[int, int], ...]:
        """For every token of `encode(prompt)` where it begins and ends in `caption(prompt)`. Runs no network.

        The tokens before and behind the text have (0, 0).
        """
        offsets = self._tokenizer.encode(self.caption(prompt), add_special_tokens=False).offsets[: self._room]
        spans = [*[(0, 0)] * len(self._start_ids), *offsets]
        behind = self.max_tokens - len(spans) if self._padded else 1
        return (*spans, *[(0, 0)] * behind)

    def encode_batch(self, prompts: list[str]) -> TextEncoding:
        """Encode many prompts at once, padded to the longest: states (n, l, width), mask (n, l). Keeps nothing."""
        return self._run([self.caption(prompt) for prompt in prompts])

    def _run(self, captions: list[str]) -> TextEncoding:
        ids = [
            [
                *self._start_ids,
                *self._tokenizer.encode(caption, add_special_tokens=False).ids[: self._room],
                self._end_id,
            ]
            for caption in captions
        ]
        longest = self.max_tokens if self._padded else max(len(row) for row in ids)
        tokens = torch.tensor([row + [self._padding_id] * (longest - len(row)) for row in ids])
        mask = torch.tensor([[place < len(row) for place in range(longest)] for row in ids])
        device = next(self._model.parameters()).device
        with torch.inference_mode():
            output: Any = self._model(input_ids=tokens.to(device), attention_mask=mask.to(device))
        empty = torch.tensor([not caption.strip() for caption in captions])
        return TextEncoding(output.last_hidden_state.float(), (mask & ~empty[:, None]).to(device))


def _word_around(prompt: str, start: int, end: int) -> str:
    """The word of `prompt` that holds prompt[start:end], without the punctuation behind it; at most 40 characters."""
    while start < end and prompt[start].isspace():
        start += 1
    while start > 0 and not prompt[start - 1].isspace():
        start -= 1
    while end < len(prompt) and not prompt[end].isspace():
        end += 1
    word = prompt[start:end]
    return (word.rstrip(",.;:!?") or word)[:40]
