"""Attention of the U-Net: of the pixels to each other, and of the pixels to the text.

Images are (n, channels, height, width) in channels-last memory, text is (n, tokens, width).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from imagen_core.models.attention_record import AttentionRecord
from imagen_core.models.layers import PixelNorm

HEAD_WIDTH = 64


def _heads(x: Tensor) -> Tensor:
    """(n, tokens, c) to (n, heads, tokens, c / heads), with one head for every HEAD_WIDTH channels, at least one."""
    n, tokens, width = x.shape
    return x.reshape(n, tokens, max(1, width // HEAD_WIDTH), -1).transpose(1, 2)


def attend(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None, look: Callable[[Tensor], None] | None = None
) -> Tensor:
    """Multi-head attention of (n, q, c) to (n, k, c): (n, q, c). `bias` (n, 1, 1, k) is added to the logits.

    `look` is shown the weights (n, heads, q, k). Plain matrix products: a processor's fused kernel is slow backwards.
    """
    heads = _heads(query)  # (n, heads, q, d)
    logits = heads * heads.shape[3] ** -0.5 @ _heads(key).transpose(2, 3)  # (n, heads, q, k)
    weights = (logits if bias is None else logits + bias).softmax(dim=3)
    if look is not None:
        look(weights)
    mixed = weights.to(value.dtype) @ _heads(value)  # (n, heads, q, d)
    joined: Tensor = mixed.transpose(1, 2).reshape(query.shape)
    return joined


class SelfAttention(nn.Module):
    """Attention of the pixels to each other."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = PixelNorm(channels)
        self.query_key_value = nn.Linear(channels, 3 * channels, bias=False)
        self.out = nn.Linear(channels, channels, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        """X (n, c, h, w) to the same shape."""
        n, c, height, width = x.shape
        pixels = self.norm(x).permute(0, 2, 3, 1).reshape(n, height * width, c)
        query, key, value = self.query_key_value(pixels).chunk(3, dim=2)
        attended: Tensor = self.out(attend(query, key, value))
        return x + attended.reshape(n, height, width, c).permute(0, 3, 1, 2)


class TextAttention(nn.Module):
    """Attention of the pixels to the text, with a softmax of its own.

    The paper's Efficient U-Net joins the text's keys to the image's in one softmax (appendix D.3.1). There a dozen
    tokens begin with a few per cent of the attention, and a small model learns its words late. A learned null token
    is always among the keys, so that a prompt that is masked out, as guidance needs it, leaves something to attend to.
    """

    def __init__(self, channels: int, text_width: int) -> None:
        super().__init__()
        self.norm = PixelNorm(channels)
        self.query = nn.Linear(channels, channels, bias=False)
        self.key_value = nn.Linear(text_width, 2 * channels, bias=False)
        self.null = nn.Parameter(torch.randn(1, 1, text_width))
        self.out = nn.Linear(channels, channels, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(
        self,
        x: Tensor,
        text: Tensor,
        mask: Tensor,
        log_weights: Tensor | None = None,
        record: AttentionRecord | None = None,
    ) -> Tensor:
        """X (n, c, h, w), text (n, l, text_width), mask (n, l) True where a token counts, to (n, c, h, w).

        log_weights (n, l) are added to the logits of the tokens; the null token has none.
        """
        n, c, height, width = x.shape
        pixels = self.norm(x).permute(0, 2, 3, 1).reshape(n, height * width, c)
        text = torch.cat([self.null.expand(n, -1, -1).to(text.dtype), text], dim=1)  # (n, 1 + l, text_width)
        key, value = self.key_value(text).chunk(2, dim=2)
        bias = torch.zeros(n, 1, 1, text.shape[1], dtype=key.dtype, device=x.device)
        if log_weights is not None:
            bias[:, 0, 0, 1:] = log_weights
        bias[:, 0, 0, 1:].masked_fill_(~mask, -torch.inf)
        look = None if record is None else partial(record.add, size=(height, width))
        attended: Tensor = self.out(attend(self.query(pixels), key, value, bias, look))
        return x + attended.reshape(n, height, width, c).permute(0, 3, 1, 2)
