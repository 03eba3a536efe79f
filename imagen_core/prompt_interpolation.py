"""Token states between two prompts.

T5 gives a prompt as many states as it has tokens, so two prompts are joined token by token, in their order. Where both
have a token, its state goes straight from the one to the other. A token that only the longer prompt has keeps its
state, and attention weighs it with that prompt's share, by the way that a weight of a word takes: so it fades in from
nothing, and a share near 0 is near the first prompt however long the second one is.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from imagen_core.variation import Other
from imagen_core.word_tokens import PromptStates


def read_prompts(read: Callable[[str], PromptStates], prompt: str, other: Other | None) -> PromptStates:
    """What `read` makes of a prompt, on the way to the other one where there is one."""
    if other is None:
        return read(prompt)
    return interpolated(read(prompt), read(str(other.end)), other.share)


def interpolated(first: PromptStates, second: PromptStates, share: float) -> PromptStates:
    """Between two prompts, both for n images; `share` of the second, in [0, 1]. At 0 and 1 exactly one of the two.

    States (n, l, width), mask (n, l) and log-weights (n, l) with l the larger number of tokens. Weights of words go
    from those of the first to those of the second. A text encoder that pads gives every prompt the same number of
    states, padding among them, which its U-Net was trained to read: there all of them have a partner.
    """
    if share in (0, 1):
        return second if share else first
    length = max(first.states.shape[1], second.states.shape[1])
    weighted = first.log_weights is not None or second.log_weights is not None
    one, two = _longer(first, length), _longer(second, length)
    mask = one.mask | two.mask
    if first.states.shape[1] == second.states.shape[1]:
        states = torch.lerp(one.states, two.states, share)
        weights = torch.lerp(_weights(one), _weights(two), share)  # (n, l)
        return PromptStates(states, mask, weights.log() if weighted else None)
    ours = torch.where(one.mask[..., None], one.states, two.states)  # (n, l, width)
    theirs = torch.where(two.mask[..., None], two.states, one.states)
    weights = torch.lerp(_weights(one) * one.mask, _weights(two) * two.mask, share)
    return PromptStates(torch.lerp(ours, theirs, share), mask, weights.log())  # a weight of 0 is -inf


def _longer(text: PromptStates, length: int) -> PromptStates:
    """The same with `length` tokens; those that are added do not count."""
    missing = length - text.states.shape[1]
    log_weights = None if text.log_weights is None else functional.pad(text.log_weights, (0, missing))
    return PromptStates(
        functional.pad(text.states, (0, 0, 0, missing)), functional.pad(text.mask, (0, missing)), log_weights
    )


def _weights(text: PromptStates) -> Tensor:
    """The weight of every token, (n, l), 1 where none is given."""
    return torch.ones(text.mask.shape, device=text.mask.device) if text.log_weights is None else text.log_weights.exp()
