"""What the text and its mask do to the U-Net."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from imagen_core.models.unet_config import UNetConfig
from tests.random_unets import LOCAL, MIXED, inputs, predict, random_unet


@pytest.mark.parametrize("config", [MIXED, LOCAL], ids=["base", "local"])
@torch.no_grad()
def test_without_any_token_the_text_has_no_influence(config: UNetConfig) -> None:
    unet, given = random_unet(config), inputs(config)
    with_text = predict(unet, **given)
    given["mask"] = torch.zeros_like(given["mask"])
    unconditional = predict(unet, **given)
    assert unconditional.isfinite().all()
    assert (with_text - unconditional).abs().mean() > 1e-3
    assert torch.equal(predict(unet, **given | {"text": torch.randn_like(given["text"]) * 50}), unconditional)


@torch.no_grad()
def test_tokens_behind_the_mask_have_no_influence_whatever_they_hold() -> None:
    unet, given = random_unet(MIXED), inputs(MIXED)
    given["mask"] = torch.tensor([[True, True, False, False, False], [False, True, False, True, False]])
    out = predict(unet, **given)
    for junk in (torch.zeros(()), torch.tensor(1e6), torch.randn(2, 5, 24) * 30):
        text = torch.where(given["mask"][:, :, None], given["text"], junk)
        assert torch.equal(predict(unet, **given | {"text": text}), out)
    changed = given["text"].clone()
    changed[0, 1] += torch.randn(24)  # a token that counts, of the first image
    other = predict(unet, **given | {"text": changed})
    assert (other[0] - out[0]).abs().mean() > 1e-3
    assert torch.equal(other[1], out[1])


@torch.no_grad()
def test_padding_behind_the_text_changes_nothing() -> None:
    unet, given = random_unet(MIXED), inputs(MIXED)
    padded = given | {"text": F.pad(given["text"], (0, 0, 0, 9)), "mask": F.pad(given["mask"], (0, 9))}
    torch.testing.assert_close(predict(unet, **padded), predict(unet, **given), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_order_of_tokens_matters_and_only_through_their_places() -> None:
    unet, given = random_unet(MIXED), inputs(MIXED)
    given["mask"] = torch.ones_like(given["mask"])
    turned = given | {"text": given["text"].flip(1)}
    assert (predict(unet, **turned) - predict(unet, **given)).abs().mean() > 1e-3
    nn.init.zeros_(unet.text_adapter.place.weight)
    torch.testing.assert_close(predict(unet, **turned), predict(unet, **given), atol=1e-5, rtol=1e-5)
