"""The layers of the U-Net, each against a closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from imagen_core.models.attention import TextAttention
from imagen_core.models.layers import PixelNorm, ResNetBlock, sinusoid
from imagen_core.models.text import TextAdapter, TextPooling
from imagen_core.models.unet import UNet
from tests.random_unets import MIXED
from tests.unet_transcription import Transcription


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
