"""From T5's token states to what the U-Net attends to, and to one vector of the whole text.

Text is (n, tokens, width), its mask (n, tokens), True where a token counts.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagen_core.models.attention import attend
from imagen_core.models.layers import sinusoid


class TextAdapter(nn.Module):
    """T5's token states to the U-Net's text: standardised, mixed, with places added.

    T5's states are small (deviation 0.1) and a few of their dimensions drown the others. They are normalised, then
    each dimension is scaled and shifted, from the start so that it has mean 0 and deviation 1 over the training
    captions (`standardise`). T5 knows relative places only, and attention to tokens ignores their order; a sinusoid of
    the token's place tells "a cat left of a dog" from "a dog left of a cat" without asking T5 for it.
    """

    def __init__(self, t5_width: int, text_width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(t5_width)
        self.project = nn.Linear(t5_width, text_width)
        self.place = nn.Linear(text_width, text_width, bias=False)
        self.mix = nn.Linear(text_width, text_width)
        self.out_norm = nn.LayerNorm(text_width)

    def standardise(self, states: Tensor) -> None:
        """Set the norm's scale and shift from token states (count, t5_width) of the training captions."""
        normal = F.layer_norm(states.float(), self.norm.normalized_shape)
        deviation, mean = torch.std_mean(normal, dim=0)
        with torch.no_grad():
            self.norm.weight.copy_(1 / deviation)
            self.norm.bias.copy_(-mean / deviation)

    def forward(self, states: Tensor) -> Tensor:
        """States (n, l, t5_width) to (n, l, text_width)."""
        x = self.project(self.norm(states))
        places = torch.arange(states.shape[1], device=states.device)
        x = x + self.place(sinusoid(places, x.shape[2], 100.0).to(x.dtype))
        text: Tensor = self.out_norm(x + self.mix(F.silu(x)))
        return text


class TextLayer(nn.Module):
    """Attention of the tokens to each other and a feed-forward layer; trained, where T5 is frozen.

    It binds colours, counts and relations to their nouns before the pixels attend to the text. As in T5 (arXiv
    1910.10683) the norm stands before each part; both begin by adding nothing.
    """

    def __init__(self, text_width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(text_width)
        self.query_key_value = nn.Linear(text_width, 3 * text_width, bias=False)
        self.out = nn.Linear(text_width, text_width, bias=False)
        self.norm_2 = nn.LayerNorm(text_width)
        self.widen = nn.Linear(text_width, 2 * text_width)
        self.narrow = nn.Linear(2 * text_width, text_width, bias=False)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.narrow.weight)

    def forward(self, text: Tensor, mask: Tensor, log_weights: Tensor | None = None) -> Tensor:
        """Text (n, l, text_width), mask (n, l) to the same shape; tokens that do not count change nothing.

        log_weights (n, l) are added to the logits of the attention to the tokens.
        """
        bias = torch.zeros(mask.shape, dtype=text.dtype, device=text.device)
        if log_weights is not None:
            bias = bias + log_weights.to(text.dtype)
        bias = bias.masked_fill(~mask, -1e4)[:, None, None]  # finite: no NaN where no token counts
        query, key, value = self.query_key_value(self.norm(text)).chunk(3, dim=2)
        text = text + self.out(attend(query, key, value, bias))
        wider = F.silu(self.widen(self.norm_2(text)))
        return text + self.narrow(wider)  # type: ignore[no-any-return]


class TextPooling(nn.Module):
    """One vector of the text for the time embedding: each of 8 heads weighs the tokens by learned scores."""

    HEADS = 8

    def __init__(self, text_width: int, embedding: int) -> None:
        super().__init__()
        self.score = nn.Linear(text_width, self.HEADS)
        self.out = nn.Linear(text_width, embedding)
        nn.init.zeros_(self.score.weight)  # begins as the mean over the tokens

    def forward(self, text: Tensor, mask: Tensor, log_weights: Tensor | None = None) -> Tensor:
        """Text (n, l, text_width), mask (n, l) to (n, embedding); without any token, the bias alone.

        log_weights (n, l) are added to the scores of the tokens.
        """
        scores = self.score(text)  # (n, l, heads)
        if log_weights is not None:
            scores = scores + log_weights.to(scores.dtype)[:, :, None]
        scores = scores.masked_fill(~mask[:, :, None], -1e4)
        weights = scores.softmax(dim=1) * mask[:, :, None]  # all zero where no token counts
        n, tokens, width = text.shape
        parts = text.reshape(n, tokens, self.HEADS, -1)
        pooled = (parts * weights[:, :, :, None]).sum(dim=1).reshape(n, width)  # (n, text_width)
        embedding: Tensor = self.out(pooled)
        return embedding
