"""The denoiser: one x_0 from any prediction, guidance, chunks, and errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from imagen_core.conditioning import Conditioning
from imagen_core.denoiser import Denoiser, Prediction
from imagen_core.events import Stopped
from imagen_core.models.attention_record import AttentionRecord
from imagen_core.models.conditioning import UNetConditioning
from imagen_core.noise_schedule import cosine_schedule
from imagen_core.thresholding import Thresholding
from tests.exact_denoiser import ExactUnet, conditioning

SCHEDULE = cosine_schedule()
NONE, STATIC = Thresholding("none"), Thresholding("static")
PREDICTIONS: tuple[Prediction, ...] = ("epsilon", "v", "x_0")


class TinyUnet(nn.Module):
    """A real little network that mixes all its inputs, image by image."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first = nn.Conv2d(6, 16, 3, padding=1)
            self.second = nn.Conv2d(16, 3, 3, padding=1)
            self.text = nn.Linear(8, 16)
        self.seen: list[tuple[Any, ...]] = []
        self.given: list[UNetConditioning] = []

    def forward(
        self,
        x_t: Tensor,
        t: Tensor,
        given: UNetConditioning,
        between_blocks: Callable[[], None] | None = None,
        record: AttentionRecord | None = None,
    ) -> Tensor:
        text, mask, low_res, aug_level = given.text, given.mask, given.low_res, given.aug_level
        self.given.append(given)
        self.seen.append((x_t, t, text, mask, low_res, aug_level))
        pooled = (text * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
        level = t / 1000 if aug_level is None else t / 1000 + aug_level
        x = torch.cat([x_t, torch.zeros_like(x_t) if low_res is None else low_res], dim=1)
        h = self.first(x) + (self.text(pooled) + level[:, None])[:, :, None, None]
        if between_blocks is not None:
            between_blocks()
        predicted: Tensor = self.second(nn.functional.silu(h))
        return predicted


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tiny_conditioning(num_images: int) -> Conditioning:
    mask = torch.arange(5)[None] < torch.arange(1, num_images + 1)[:, None]
    return Conditioning(
        text=normal(num_images, 5, 8, seed=1),
        mask=mask,
        low_res=normal(num_images, 3, 12, 12, seed=2),
        aug_level=0.25,
    )


@pytest.mark.parametrize("t", [0, 30, 500, 900, 990])
def test_any_prediction_gives_the_same_x_0(t: int) -> None:
    x_t, known = normal(3, 3, 16, 16), conditioning(0, 1, None)
    x_0 = [
        Denoiser(ExactUnet(SCHEDULE, prediction), SCHEDULE, prediction)(x_t, t, known, 3.0, NONE).x_0
        for prediction in PREDICTIONS
    ]
    for other in x_0[1:]:
        assert (other - x_0[0]).abs().max() < 2e-4 * 3  # guidance magnifies the rounding of epsilon


def test_v_is_good_at_noise_alone_where_epsilon_is_not() -> None:
    """With 1/4096 of the picture left, epsilon says nothing in single precision; v says all."""
    x_t, known = normal(1, 3, 16, 16), conditioning(1)
    v, x_0, epsilon = (
        Denoiser(ExactUnet(SCHEDULE, prediction), SCHEDULE, prediction)(x_t, 999, known, 1.0, NONE).x_0
        for prediction in ("v", "x_0", "epsilon")
    )
    assert (v - x_0).abs().max() < 1e-6
    assert 1e-5 < (epsilon - x_0).abs().max() < 5e-3


def test_guidance_is_the_formula_and_its_instruments_are_right() -> None:
    t, x_t = 600, normal(2, 3, 16, 16)
    denoiser = Denoiser(ExactUnet(SCHEDULE, "v"), SCHEDULE, "v")
    conditional = denoiser(x_t, t, conditioning(0, 1), 1.0, NONE)
    unconditional = denoiser(x_t, t, conditioning(None, None), 1.0, NONE)
    guided = denoiser(x_t, t, conditioning(0, 1), 4.0, NONE)
    expected = unconditional.x_0 + 4 * (conditional.x_0 - unconditional.x_0)
    assert torch.allclose(guided.x_0, expected, atol=1e-5)
    difference = (conditional.x_0 - unconditional.x_0).double().numpy()
    assert guided.guidance_norm == pytest.approx(np.sqrt((difference**2).mean(axis=(1, 2, 3))).tolist(), rel=1e-4)
    alpha = SCHEDULE.alphas_cumprod[t].sqrt()
    first, second = ((x_t - alpha * each.x_0).flatten(1).double().numpy() for each in (conditional, unconditional))
    cosines = (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    assert guided.cosine == pytest.approx(cosines.tolist(), abs=1e-5)
    assert conditional.guidance_norm == (0.0, 0.0)
    assert conditional.cosine == (1.0, 1.0)


def test_guidance_off_asks_the_unet_once() -> None:
    unet = ExactUnet(SCHEDULE, "v")
    denoiser = Denoiser(unet, SCHEDULE, "v")
    denoiser(normal(2, 3, 8, 8), 500, conditioning(0, 1), 1.0, NONE)
    denoiser(normal(2, 3, 8, 8), 500, conditioning(0, 1), 2.0, NONE)
    replace(denoiser, chunk=1)(normal(2, 3, 8, 8), 500, conditioning(0, 1), 2.0, NONE)
    assert unet.batch_sizes == [2, 4, 2, 2]


def test_negative_prompt_takes_the_place_of_no_text() -> None:
    known = conditioning(0, 1)
    other = conditioning(1, 0)
    negative = replace(known, negative_text=other.text, negative_mask=other.mask)
    denoiser, x_t = Denoiser(ExactUnet(SCHEDULE, "x_0"), SCHEDULE, "x_0"), normal(2, 3, 8, 8)
    plain = [denoiser(x_t, 600, each, 1.0, NONE).x_0 for each in (known, other)]
    guided = denoiser(x_t, 600, negative, 3.0, NONE).x_0
    assert torch.allclose(guided, plain[1] + 3 * (plain[0] - plain[1]), atol=1e-5)


@pytest.mark.parametrize("lengths", [(5, 2), (2, 5)])
def test_prompts_of_different_length_are_padded(lengths: tuple[int, int]) -> None:
    texts = [normal(1, length, 8, seed=length) for length in lengths]
    masks = [torch.ones(1, length, dtype=torch.bool) for length in lengths]
    unet, x_t = TinyUnet(), normal(1, 3, 12, 12)
    denoiser = Denoiser(unet, SCHEDULE, "v")
    plain = [
        denoiser(x_t, 400, Conditioning(text, mask), 1.0, NONE).x_0 for text, mask in zip(texts, masks, strict=True)
    ]
    both = Conditioning(texts[0], masks[0], negative_text=texts[1], negative_mask=masks[1])
    guided = denoiser(x_t, 400, both, 2.0, NONE).x_0
    assert torch.allclose(guided, 2 * plain[0] - plain[1], atol=1e-5)
    assert unet.seen[-1][3].sum(dim=1).tolist() == list(lengths)


@pytest.mark.parametrize("scale", [1.0, 3.0])
@pytest.mark.parametrize("thresholding", [STATIC, Thresholding("dynamic", 90.0)])
def test_image_alone_is_the_same_bits_as_among_others(scale: float, thresholding: Thresholding) -> None:
    x_t, known = normal(4, 3, 12, 12) * 2, tiny_conditioning(4)
    denoiser = Denoiser(TinyUnet(), SCHEDULE, "epsilon", chunk=1)
    together = denoiser(x_t, 700, known, scale, thresholding)
    for image in range(4):
        part = slice(image, image + 1)
        alone = denoiser(x_t[part], 700, known.images(part), scale, thresholding)
        assert torch.equal(alone.x_0[0], together.x_0[image])
        for name in ("threshold", "clipped_share", "guidance_norm", "cosine"):
            assert getattr(alone, name)[0] == getattr(together, name)[image]
    all_at_once = replace(denoiser, chunk=None)(x_t, 700, known, scale, thresholding)
    assert torch.allclose(all_at_once.x_0, together.x_0, atol=1e-5)
    assert torch.allclose(replace(denoiser, chunk=3)(x_t, 700, known, scale, thresholding).x_0, together.x_0, atol=1e-5)


def test_unet_gets_what_the_contract_says() -> None:
    unet, known = TinyUnet(), tiny_conditioning(2)
    done = Denoiser(unet, SCHEDULE, "v")(normal(2, 3, 12, 12), 700, known, 2.0, STATIC)
    x_t, t, text, mask, low_res, aug_level = unet.seen[0]
    assert x_t.is_contiguous(memory_format=torch.channels_last)
    assert t.tolist() == [700.0] * 4
    assert text.shape == (4, 5, 8)
    assert mask.tolist() == [*known.mask.tolist(), *torch.zeros(2, 5, dtype=torch.bool).tolist()]
    assert torch.equal(low_res[:2], low_res[2:])
    assert aug_level.tolist() == [0.25] * 4
    assert done.x_0.is_inference()
    assert done.x_0.dtype == torch.float32


def test_thresholding_comes_after_guidance() -> None:
    denoiser, x_t = Denoiser(ExactUnet(SCHEDULE, "v"), SCHEDULE, "v"), normal(2, 3, 16, 16)
    raw = denoiser(x_t, 900, conditioning(0, 1), 20.0, NONE)
    assert raw.x_0.abs().max() > 1.5
    dynamic = denoiser(x_t, 900, conditioning(0, 1), 20.0, Thresholding("dynamic", 95.0))
    for image in range(2):
        s = np.percentile(raw.x_0[image].abs().numpy(), 95)
        assert dynamic.threshold[image] == pytest.approx(s, rel=1e-5)
        assert torch.allclose(dynamic.x_0[image], raw.x_0[image].clamp(-s, s) / s, atol=1e-5)
        assert dynamic.clipped_share[image] == pytest.approx(0.05, abs=0.002)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_one_broken_number_is_an_error_even_if_thresholding_would_hide_it(bad: float, scale: float) -> None:
    known = tiny_conditioning(2)
    assert known.low_res is not None
    known.low_res[1, 2, 3, 4] = bad
    with pytest.raises(FloatingPointError, match="timestep 700 is not finite"):
        Denoiser(TinyUnet(), SCHEDULE, "v", chunk=1)(normal(2, 3, 12, 12), 700, known, scale, STATIC)


def test_unet_is_stopped_between_its_blocks() -> None:
    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        Denoiser(TinyUnet(), SCHEDULE, "v", between_blocks=stop)(
            normal(1, 3, 12, 12), 700, tiny_conditioning(1), 1.0, STATIC
        )


@pytest.mark.parametrize("lengths", [(5, 2), (2, 5)])
@pytest.mark.parametrize("which", ["text", "negative", "both", "neither"])
def test_weights_act_on_their_own_branch_of_guidance(lengths: tuple[int, int], which: str) -> None:
    texts = [normal(1, length, 8, seed=length) for length in lengths]
    masks = [torch.ones(1, length, dtype=torch.bool) for length in lengths]
    weights = [normal(1, length, seed=9) for length in lengths]
    chosen = [weights[0] if which in ("text", "both") else None, weights[1] if which in ("negative", "both") else None]
    both = Conditioning(texts[0], masks[0], texts[1], masks[1], None, 0.0, chosen[0], chosen[1])
    unet = TinyUnet()
    Denoiser(unet, SCHEDULE, "v", chunk=1)(normal(1, 3, 12, 12), 400, both, 2.0, NONE)
    seen = unet.given[-1].log_weights
    if which == "neither":
        assert seen is None
        return
    assert seen is not None
    for row, (own, length) in enumerate(zip(chosen, lengths, strict=True)):
        expected = torch.zeros(length) if own is None else own[0]
        assert torch.equal(seen[row, :length], expected)
        assert not seen[row, length:].any()


def test_without_a_negative_prompt_weights_leave_the_unconditional_branch_alone() -> None:
    unet, known = TinyUnet(), replace(tiny_conditioning(2), log_weights=normal(2, 5))
    Denoiser(unet, SCHEDULE, "v")(normal(2, 3, 12, 12), 400, known, 2.0, NONE)
    seen = unet.given[-1].log_weights
    assert seen is not None
    assert known.log_weights is not None
    assert torch.equal(seen, torch.cat([known.log_weights, torch.zeros(2, 5)]))
