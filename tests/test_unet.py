"""The Efficient U-Net: against a transcription in NumPy, and what text, time, low_res and the pauses do to it."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from imagen_core.events import Stopped
from imagen_core.models.layers import (
    PixelNorm,
    ResNetBlock,
    SelfAttention,
    TextAdapter,
    TextAttention,
    TextPooling,
    sinusoid,
)
from imagen_core.models.unet import UNet, UNetConfig
from imagen_core.training.config import CONFIGS
from imagen_core.training.optimiser import Optimiser

Array = NDArray[np.float64]

# Every kind of level; 128 channels make two heads.
MIXED = UNetConfig(
    2, (32, 128, 64), (1, 2, 1), ("none", "image and text", "text"), t5_width=24, text_width=32, embedding=40
)
# Purely local: no attention from pixel to pixel.
LOCAL = UNetConfig(2, (32, 32), (1, 1), ("none", "text"), low_res=True, t5_width=24, text_width=32, embedding=32)


def random_unet(config: UNetConfig) -> UNet:
    """No parameter is at its start value, and attention is sharp, so that every part of the network matters."""
    torch.manual_seed(1)
    unet = UNet(config)
    with torch.no_grad():
        for name, parameter in unet.named_parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
            if any(part in name for part in ("query", "key_value", "score")):
                parameter *= 2
    return unet.eval().to(memory_format=torch.channels_last)


def inputs(config: UNetConfig, n: int = 2, size: int = 16, tokens: int = 5) -> dict[str, Tensor]:
    """Arguments of one call; the second image counts fewer tokens than the first."""
    random = torch.Generator().manual_seed(2)
    given = {
        "x_t": torch.randn(n, 3, size, size, generator=random),
        "t": torch.tensor([999.0, 3.0, 400.0])[:n],
        "text": torch.randn(n, tokens, config.t5_width, generator=random) * 0.1,
        "mask": torch.arange(tokens)[None] < tokens - torch.arange(n)[:, None],
    }
    if config.low_res:
        given["low_res"] = torch.randn(n, 3, size, size, generator=random)
        given["aug_level"] = torch.tensor([0.3, 0.9, 0.0])[:n]
    return given


# The same network in NumPy, from its description


def np_silu(x: Array) -> Array:
    return x / (1 + np.exp(-x))


def np_norm(x: Array, axis: int) -> Array:
    deviation = np.sqrt(x.var(axis=axis, keepdims=True) + 1e-5)
    return (x - x.mean(axis=axis, keepdims=True)) / deviation


def np_softmax(x: Array) -> Array:
    weights = np.exp(x - x.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def np_sinusoid(position: Array, width: int, longest: float) -> Array:
    angles = position[:, None] / longest ** (np.arange(width // 2) / (width // 2))
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def np_fold(x: Array, p: int) -> Array:
    """Squares of p x p pixels become channels."""
    n, c, h, w = x.shape
    return x.reshape(n, c, h // p, p, w // p, p).transpose(0, 1, 3, 5, 2, 4).reshape(n, c * p * p, h // p, w // p)


def np_unfold(x: Array, p: int) -> Array:
    n, c, h, w = x.shape
    return x.reshape(n, c // p**2, p, p, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, c // p**2, h * p, w * p)


class Transcription:
    """`UNet.forward` over the tensors of a state_dict, float64."""

    def __init__(self, unet: UNet) -> None:
        self.config = unet.config
        self.weights = {name: value.double().numpy() for name, value in unet.state_dict().items()}

    def linear(self, name: str, x: Array) -> Array:
        return x @ self.weights[f"{name}.weight"].T + self.weights.get(f"{name}.bias", 0.0)

    def conv(self, name: str, x: Array) -> Array:
        kernel = self.weights[f"{name}.weight"]
        edge = kernel.shape[2] // 2
        padded = np.pad(x, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2:], axis=(2, 3))
        return np.einsum("nchwij,ocij->nohw", windows, kernel) + self.weights[f"{name}.bias"][:, None, None]

    def pixel_norm(self, name: str, x: Array) -> Array:
        weight, bias = (self.weights[f"{name}.{part}"][:, None, None] for part in ("weight", "bias"))
        return np_norm(x, axis=1) * weight + bias

    def block(self, name: str, x: Array, embedding: Array) -> Array:
        h = self.conv(f"{name}.conv_1", np_silu(self.pixel_norm(f"{name}.norm_1", x)))
        scale, shift = np.split(self.linear(f"{name}.modulation", embedding)[:, :, None, None], 2, axis=1)
        h = np_silu(self.pixel_norm(f"{name}.norm_2", h) * (1 + scale) + shift)
        skip = self.conv(f"{name}.skip", x) if f"{name}.skip.weight" in self.weights else x
        return skip + self.conv(f"{name}.conv_2", h)

    def attend(self, queries: Array, keys: Array, values: Array) -> Array:
        """Of one image, (q, c) to (k, c), in heads of 64 channels."""
        c, heads = queries.shape[1], []
        width = min(c, 64)
        for start in range(0, c, width):
            part = slice(start, start + width)
            heads.append(np_softmax(queries[:, part] @ keys[:, part].T / math.sqrt(width)) @ values[:, part])
        return np.concatenate(heads, axis=1)

    def self_attention(self, name: str, x: Array) -> Array:
        n, c, h, w = x.shape
        out = np.empty_like(x)
        for image in range(n):
            pixels = self.pixel_norm(f"{name}.norm", x)[image].reshape(c, h * w).T
            queries, keys, values = np.split(self.linear(f"{name}.query_key_value", pixels), 3, axis=1)
            out[image] = self.linear(f"{name}.out", self.attend(queries, keys, values)).T.reshape(c, h, w)
        return x + out

    def text_attention(self, name: str, x: Array, text: Array, mask: NDArray[np.bool_]) -> Array:
        n, c, h, w = x.shape
        out = np.empty_like(x)
        for image in range(n):  # only the tokens that count, no mask needed
            pixels = self.pixel_norm(f"{name}.norm", x)[image].reshape(c, h * w).T
            tokens = np.concatenate([self.weights[f"{name}.null"][0], text[image][mask[image]]])
            keys, values = np.split(self.linear(f"{name}.key_value", tokens), 2, axis=1)
            attended = self.attend(self.linear(f"{name}.query", pixels), keys, values)
            out[image] = self.linear(f"{name}.out", attended).T.reshape(c, h, w)
        return x + out

    def pooled(self, name: str, text: Array, mask: NDArray[np.bool_]) -> Array:
        rows = []
        for row, counts in zip(text, mask, strict=True):
            tokens = row[counts]  # (l, width)
            parts = tokens.reshape(len(tokens), 8, -1)
            weights = np_softmax(self.linear(f"{name}.score", tokens).T).T  # (l, 8)
            rows.append((parts * weights[:, :, None]).sum(axis=0).reshape(-1))
        return self.linear(f"{name}.out", np.stack(rows))

    def adapter(self, states: Array) -> Array:
        normal = np_norm(states, axis=2) * self.weights["text_adapter.norm.weight"]
        x = self.linear("text_adapter.project", normal + self.weights["text_adapter.norm.bias"])
        x = x + self.linear("text_adapter.place", np_sinusoid(np.arange(x.shape[1]), x.shape[2], 100.0))
        x = np_norm(x + self.linear("text_adapter.mix", np_silu(x)), axis=2)
        return x * self.weights["text_adapter.out_norm.weight"] + self.weights["text_adapter.out_norm.bias"]

    def __call__(self, **given: Tensor) -> Array:
        arrays = {name: value.double().numpy() for name, value in given.items()}
        mask = given["mask"].numpy()
        text = self.adapter(arrays["text"])
        embedding = self.linear("time.2", np_silu(self.linear("time.0", np_sinusoid(arrays["t"], 256, 10_000.0))))
        embedding = embedding + self.pooled("pooled_text", text, mask)
        x = np_fold(arrays["x_t"], self.config.patch)
        if self.config.low_res:
            embedding = embedding + self.linear("aug_level", np_sinusoid(1000 * arrays["aug_level"], 64, 10_000.0))
            x = np.concatenate([x, np_fold(arrays["low_res"], self.config.patch)], axis=1)
        embedding = np_silu(embedding)

        def level(name: str, h: Array, index: int) -> Array:
            for block in range(self.config.blocks[index]):
                h = self.block(f"{name}.{index}.blocks.{block}", h, embedding)
            if self.config.attention[index] == "image and text":
                h = self.self_attention(f"{name}.{index}.self_attention", h)
            if self.config.attention[index] == "none":
                return h
            return self.text_attention(f"{name}.{index}.text_attention", h, text, mask)

        h, levels, skips = self.conv("stem", x), len(self.config.widths), []
        for index in range(levels):
            if index:  # downsampling comes before the convolutions of a level
                h = self.conv(f"downsample.{index - 1}", np_fold(h, 2))
            h = level("down", h, index)
            skips.append(h)
        for index in reversed(range(levels)):  # and upsampling after them
            h = level("up", np.concatenate([h, skips[index] / math.sqrt(2)], axis=1), index)
            if index:
                h = np_unfold(self.conv(f"upsample.{index - 1}", h), 2)
        out = np_unfold(self.conv("head", np_silu(self.pixel_norm("norm", h))), self.config.patch)
        if self.config.low_res:
            out = out + np.cos(arrays["aug_level"] * np.pi / 2)[:, None, None, None] * arrays["low_res"]
        return out


@pytest.mark.parametrize("config", [MIXED, replace(MIXED, low_res=True), LOCAL], ids=["base", "low_res", "local"])
def test_the_network_equals_its_transcription(config: UNetConfig) -> None:
    unet, given = random_unet(config), inputs(config)
    with torch.no_grad():
        out = unet(**given)
    expected = torch.from_numpy(Transcription(unet)(**given)).float()
    assert expected.std() > 0.1
    torch.testing.assert_close(out, expected, atol=2e-4, rtol=2e-4)


def test_text_attention_is_a_softmax_over_the_null_token_and_the_text() -> None:
    torch.manual_seed(0)
    attention = TextAttention(128, 32)
    nn.init.normal_(attention.out.weight, std=0.2)
    x, text = torch.randn(3, 128, 4, 6), torch.randn(3, 5, 32)
    mask = torch.tensor([[True, True, True, True, True], [True, False, True, False, False], [False] * 5])
    transcription = Transcription(UNet(MIXED))
    transcription.weights = {f"it.{name}": value.double().numpy() for name, value in attention.state_dict().items()}
    expected = transcription.text_attention("it", x.double().numpy(), text.double().numpy(), mask.numpy())
    with torch.no_grad():
        out = attention(x, text, mask)
    torch.testing.assert_close(out, torch.from_numpy(expected).float(), atol=1e-5, rtol=1e-4)
    assert (out - x).abs().amax(dim=(1, 2, 3)).min() > 0.01  # attends to something even where all text is masked


def test_pooled_text_begins_as_the_mean_and_learns_which_tokens_count() -> None:
    torch.manual_seed(0)
    pooling = TextPooling(16, 16)
    nn.init.zeros_(pooling.score.bias)
    text, mask = torch.randn(2, 4, 16), torch.tensor([[True, True, True, False], [False] * 4])
    with torch.no_grad():
        nn.init.eye_(pooling.out.weight)
        out = pooling(text, mask)
        torch.testing.assert_close(out[0], text[0, :3].mean(dim=0) + pooling.out.bias)
        torch.testing.assert_close(out[1], pooling.out.bias)
        pooling.score.weight.copy_(100 * text[0, 1].expand(8, 16))  # looks for the second token
        torch.testing.assert_close(pooling(text, mask)[0], text[0, 1] + pooling.out.bias)


def test_standardised_states_have_mean_0_and_deviation_1_in_every_dimension() -> None:
    torch.manual_seed(0)
    adapter = TextAdapter(24, 32)
    states = torch.randn(5000, 24) * torch.linspace(0.1, 8, 24) + torch.linspace(-3, 3, 24)
    adapter.standardise(states)
    normal = adapter.norm(states)
    torch.testing.assert_close(normal.mean(dim=0), torch.zeros(24), atol=1e-4, rtol=0)
    torch.testing.assert_close(normal.std(dim=0), torch.ones(24), atol=1e-3, rtol=0)


# Layers


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_pixel_norm_is_a_layer_norm_over_channels(memory_format: torch.memory_format) -> None:
    torch.manual_seed(0)
    norm, reference = PixelNorm(12), nn.LayerNorm(12)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    reference.load_state_dict(norm.state_dict())
    x = torch.randn(2, 12, 5, 7).to(memory_format=memory_format)
    expected = reference(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    torch.testing.assert_close(norm(x), expected)
    assert norm(x).is_contiguous(memory_format=torch.channels_last)


def test_sinusoid_is_sine_and_cosine_at_falling_rates() -> None:
    features = sinusoid(torch.tensor([0.0, 1.0, 500.0]), 8, 10_000.0)
    assert features.shape == (3, 8)
    assert features[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    expected = [math.sin(500 * 10_000 ** (-k / 4)) for k in range(4)]
    assert features[2, :4].tolist() == pytest.approx(expected, abs=1e-4)
    assert float((features**2).sum()) == pytest.approx(12, abs=1e-4)  # sin^2 + cos^2, four times, three times


def test_a_new_block_passes_its_input_on() -> None:
    block = ResNetBlock(8, 8, embedding=4)
    nn.init.zeros_(block.conv_2.bias)
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(block(x, torch.randn(2, 4)), x)


def test_the_adapter_brings_t5_to_unit_size_and_takes_no_notice_of_its_scale() -> None:
    torch.manual_seed(0)
    adapter = TextAdapter(24, 32)
    states = torch.randn(2, 7, 24)
    with torch.no_grad():
        assert float(adapter(states * 0.1).std()) == pytest.approx(1, abs=0.05)
        torch.testing.assert_close(adapter(states * 0.1), adapter(states * 10), atol=2e-2, rtol=1e-2)


# Text and mask


@pytest.mark.parametrize("config", [MIXED, LOCAL], ids=["base", "local"])
@torch.no_grad()
def test_without_any_token_the_text_has_no_influence(config: UNetConfig) -> None:
    unet, given = random_unet(config), inputs(config)
    with_text = unet(**given)
    given["mask"] = torch.zeros_like(given["mask"])
    unconditional = unet(**given)
    assert unconditional.isfinite().all()
    assert (with_text - unconditional).abs().mean() > 1e-3
    assert torch.equal(unet(**given | {"text": torch.randn_like(given["text"]) * 50}), unconditional)


@torch.no_grad()
def test_tokens_behind_the_mask_have_no_influence_whatever_they_hold() -> None:
    unet, given = random_unet(MIXED), inputs(MIXED)
    given["mask"] = torch.tensor([[True, True, False, False, False], [False, True, False, True, False]])
    out = unet(**given)
    for junk in (torch.zeros(()), torch.tensor(1e6), torch.randn(2, 5, 24) * 30):
        text = torch.where(given["mask"][:, :, None], given["text"], junk)
        assert torch.equal(unet(**given | {"text": text}), out)
    changed = given["text"].clone()
    changed[0, 1] += torch.randn(24)  # a token that counts, of the first image
    other = unet(**given | {"text": changed})
    assert (other[0] - out[0]).abs().mean() > 1e-3
    assert torch.equal(other[1], out[1])


@torch.no_grad()
def test_padding_behind_the_text_changes_nothing() -> None:
    unet, given = random_unet(MIXED), inputs(MIXED)
    padded = given | {"text": F.pad(given["text"], (0, 0, 0, 9)), "mask": F.pad(given["mask"], (0, 9))}
    torch.testing.assert_close(unet(**padded), unet(**given), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_order_of_tokens_matters_and_only_through_their_places() -> None:
    unet, given = random_unet(MIXED), inputs(MIXED)
    given["mask"] = torch.ones_like(given["mask"])
    turned = given | {"text": given["text"].flip(1)}
    assert (unet(**turned) - unet(**given)).abs().mean() > 1e-3
    nn.init.zeros_(unet.text_adapter.place.weight)
    torch.testing.assert_close(unet(**turned), unet(**given), atol=1e-5, rtol=1e-5)


# Time, low_res, aug_level


@torch.no_grad()
def test_every_argument_matters_to_its_own_image_only() -> None:
    config = replace(MIXED, low_res=True)
    unet, given = random_unet(config), inputs(config)
    out = unet(**given)
    changes = {
        "x_t": given["x_t"] * torch.tensor([1.0, -1.0]).view(2, 1, 1, 1),
        "t": torch.tensor([999.0, 40.0]),
        "low_res": given["low_res"] * torch.tensor([1.0, 0.5]).view(2, 1, 1, 1),
        "aug_level": torch.tensor([0.3, 0.8]),
    }
    for name, value in changes.items():
        other = unet(**given | {name: value})
        assert torch.equal(other[0], out[0]), name
        assert (other[1] - out[1]).abs().mean() > 1e-3, name


@torch.no_grad()
def test_the_aug_level_matters_beside_the_residual() -> None:
    """Not only as the factor of low_res: the network itself is told the level."""
    unet, given = random_unet(LOCAL), inputs(LOCAL)

    def network_alone(aug_level: Tensor) -> Tensor:
        out: Tensor = unet(**given | {"aug_level": aug_level})
        return out - (aug_level * torch.pi / 2).cos()[:, None, None, None] * given["low_res"]

    difference = network_alone(torch.tensor([0.3, 0.9])) - network_alone(torch.tensor([0.5, 0.7]))
    assert difference.abs().mean(dim=(1, 2, 3)).min() > 1e-3


@torch.no_grad()
def test_a_new_network_predicts_nothing_but_the_low_resolution_picture() -> None:
    assert not UNet(MIXED)(**inputs(MIXED)).any()
    given = inputs(LOCAL, n=3)
    out = UNet(LOCAL)(**given)
    expected = [math.cos(level * math.pi / 2) for level in (0.3, 0.9, 0.0)]
    torch.testing.assert_close(out, given["low_res"] * torch.tensor(expected).view(3, 1, 1, 1))


def test_low_res_and_aug_level_come_together_and_to_super_resolution_only() -> None:
    given = inputs(LOCAL)
    with pytest.raises(ValueError, match="needs low_res and aug_level"):
        random_unet(LOCAL)(**{key: value for key, value in given.items() if key != "aug_level"})
    with pytest.raises(ValueError, match="needs low_res and aug_level"):
        random_unet(LOCAL)(**{key: value for key, value in given.items() if key != "low_res"})
    with pytest.raises(ValueError, match="only a super-resolution U-Net"):
        random_unet(replace(LOCAL, low_res=False))(**given)


# Images and memory


@torch.no_grad()
def test_memory_format_and_batch_do_not_change_the_numbers() -> None:
    config = replace(MIXED, low_res=True)
    unet, given = random_unet(config), inputs(config, n=3)
    out = unet(**given)
    assert out.shape == given["x_t"].shape
    last = {k: v.contiguous(memory_format=torch.channels_last) if v.dim() == 4 else v for k, v in given.items()}
    torch.testing.assert_close(unet(**last), out, atol=1e-5, rtol=1e-5)
    for image in range(3):
        alone = unet(**{name: value[image : image + 1] for name, value in given.items()})
        torch.testing.assert_close(alone[0], out[image], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_bfloat16_stays_near_float32() -> None:
    unet, given = random_unet(MIXED), inputs(MIXED)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = unet(**given).float()
    exact = unet(**given)
    assert (rough - exact).square().mean().sqrt() < 0.03 * exact.std()


@torch.no_grad()
def test_without_attention_to_the_image_far_pixels_have_no_influence() -> None:
    """What lets the last stage be trained on windows: reach is 28 pixels in this one."""
    unet, given = random_unet(LOCAL), inputs(LOCAL, size=96)
    changed = given | {name: given[name].clone() for name in ("x_t", "low_res")}
    for name in ("x_t", "low_res"):
        changed[name][:, :, :, :16] += 3
    difference = (unet(**changed) - unet(**given)).abs().amax(dim=(0, 1, 2))  # by column
    assert difference[:16].min() > 0.01
    assert difference[20] > 0
    assert difference[16 + 32 :].max() < 1e-6

    far = random_unet(replace(LOCAL, attention=("none", "image and text")))
    assert (far(**changed) - far(**given)).abs().amax(dim=(0, 1, 2))[48:].max() > 1e-5


@torch.no_grad()
def test_a_window_is_drawn_as_the_same_part_of_the_whole() -> None:
    unet, given = random_unet(LOCAL), inputs(LOCAL, size=128)
    window = {k: v[:, :, 16:112, 24:120] if v.dim() == 4 else v for k, v in given.items()}
    inner = slice(32, 64)
    whole = unet(**given)[:, :, 16:112, 24:120]
    torch.testing.assert_close(unet(**window)[:, :, inner, inner], whole[:, :, inner, inner], atol=1e-5, rtol=1e-4)


# Pauses


def run_with_log(unet: UNet, given: dict[str, Tensor], stop_at: int = 0) -> list[str]:
    """The sequence of pauses and of blocks that ended; the pause number `stop_at` stops, if any does."""
    log: list[str] = []

    def pause() -> None:
        log.append("pause")
        if log.count("pause") == stop_at:
            raise Stopped

    for module in unet.modules():
        if isinstance(module, ResNetBlock | SelfAttention | TextAttention):
            module.register_forward_hook(lambda *_: log.append("block"))
    with torch.no_grad():
        if stop_at:
            with pytest.raises(Stopped):
                unet(**given, between_blocks=pause)
        else:
            unet(**given, between_blocks=pause)
    return log


def test_there_is_a_pause_before_every_block() -> None:
    log = run_with_log(random_unet(MIXED), inputs(MIXED))
    assert log == ["pause", "block"] * 2 * (1 + 4 + 2)  # down and up: 1 block, 2 and two attentions, 1 and one


@pytest.mark.parametrize("stop_at", [1, 4, 12])
def test_what_a_pause_raises_stops_the_work_there(stop_at: int) -> None:
    log = run_with_log(random_unet(MIXED), inputs(MIXED), stop_at)
    assert log == [*["pause", "block"] * (stop_at - 1), "pause"]


# Learning


def test_gradients_reach_every_parameter() -> None:
    for config in (MIXED, replace(MIXED, low_res=True), LOCAL):
        unet = random_unet(config).requires_grad_(True)
        unet(**inputs(config)).square().mean().backward()
        silent = [name for name, value in unet.named_parameters() if value.grad is None or not value.grad.any()]
        assert silent == []


def test_from_its_zeros_the_network_wakes_in_a_few_updates() -> None:
    """The head, then what it reads, then what modulates that: each zero layer takes one update to open."""
    torch.manual_seed(0)
    config = replace(MIXED, low_res=True)
    unet = UNet(config).to(memory_format=torch.channels_last)
    before = {name: value.detach().clone() for name, value in unet.named_parameters()}
    optimiser, given, target = Optimiser(unet, 1e-2), inputs(config), torch.randn(2, 3, 16, 16)
    for update in range(5):
        (unet(**given) - target).square().mean().backward()
        optimiser.step(1.0, update)
    asleep = [name for name, value in unet.named_parameters() if torch.equal(value, before[name])]
    assert asleep == []


# Configuration


@pytest.mark.parametrize("config", [MIXED, LOCAL, *(stage.unet for stage in CONFIGS.values())])
def test_a_configuration_survives_a_checkpoints_header(config: UNetConfig) -> None:
    assert UNetConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"blocks": (1, 2)}, "same levels"),
        ({"widths": (), "blocks": (), "attention": ()}, "same levels"),
        ({"attention": ("none", "image", "text")}, "not image"),
        ({"heads": 4}, "unknown keys: heads"),
        ({"patch": 0}, "whole numbers above 0"),
        ({"patch": "2"}, "whole numbers above 0"),
        ({"widths": (32, 64.0, 64)}, "whole numbers above 0"),
        ({"blocks": (1, 0, 1)}, "whole numbers above 0"),
        ({"blocks": (1, True, 1)}, "whole numbers above 0"),
        ({"embedding": -1}, "whole numbers above 0"),
        ({"widths": 32}, "incomplete"),
    ],
)
def test_a_configuration_that_makes_no_network_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        UNetConfig.from_dict(MIXED.to_dict() | changes)


def test_an_incomplete_configuration_is_refused() -> None:
    values = MIXED.to_dict()
    del values["patch"]
    with pytest.raises(ValueError, match="patch"):
        UNetConfig.from_dict(values)


@pytest.mark.parametrize("stage", CONFIGS)
def test_the_trained_networks_take_their_stages_pictures(stage: str) -> None:
    """On the meta device, where only shapes are computed; appendix B puts most blocks where the image is small."""
    config = CONFIGS[stage]
    with torch.device("meta"):
        unet = UNet(config.unet)
        for size in {config.size, config.pixels}:
            picture = torch.empty(2, 3, size, size)
            low = (picture, torch.empty(2)) if config.unet.low_res else (None, None)
            mask = torch.ones(2, 7, dtype=torch.bool)
            assert unet(picture, torch.empty(2), torch.empty(2, 7, 512), mask, *low).shape == picture.shape
    assert config.unet.low_res == (stage != "base")
    assert config.unet.blocks[-1] >= config.unet.blocks[0]
    assert config.unet.attention[0] == "none"
    if config.crop < 1:
        assert "image and text" not in config.unet.attention
