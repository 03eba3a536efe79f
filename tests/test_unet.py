"""The Efficient U-Net: against a transcription in NumPy; what time, low_res, company and the pauses do to it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from imagen_core.events import Stopped
from imagen_core.models.attention import SelfAttention, TextAttention
from imagen_core.models.layers import FeedForward, ResNetBlock
from imagen_core.models.unet import UNet
from imagen_core.models.unet_config import UNetConfig
from tests.random_unets import LOCAL, MIXED, PLAIN, inputs, predict, random_unet
from tests.unet_transcription import Transcription


@pytest.mark.parametrize(
    "config", [MIXED, PLAIN, replace(MIXED, low_res=True), LOCAL], ids=["all", "plain", "low_res", "local"]
)
def test_the_network_equals_its_transcription(config: UNetConfig) -> None:
    unet, given = random_unet(config), inputs(config)
    with torch.no_grad():
        out = predict(unet, **given)
    expected = torch.from_numpy(Transcription(unet)(**given)).float()
    assert expected.std() > 0.1
    torch.testing.assert_close(out, expected, atol=2e-4, rtol=2e-4)


@torch.no_grad()
def test_every_argument_matters_to_its_own_image_only() -> None:
    config = replace(MIXED, low_res=True)
    unet, given = random_unet(config), inputs(config)
    out = predict(unet, **given)
    changes = {
        "x_t": given["x_t"] * torch.tensor([1.0, -1.0]).view(2, 1, 1, 1),
        "t": torch.tensor([999.0, 40.0]),
        "low_res": given["low_res"] * torch.tensor([1.0, 0.5]).view(2, 1, 1, 1),
        "aug_level": torch.tensor([0.3, 0.8]),
    }
    for name, value in changes.items():
        other = predict(unet, **given | {name: value})
        assert torch.equal(other[0], out[0]), name
        assert (other[1] - out[1]).abs().mean() > 1e-3, name


@torch.no_grad()
def test_the_aug_level_matters_beside_the_residual() -> None:
    """Not only as the factor of low_res: the network itself is told the level."""
    unet, given = random_unet(LOCAL), inputs(LOCAL)

    def network_alone(aug_level: Tensor) -> Tensor:
        out: Tensor = predict(unet, **given | {"aug_level": aug_level})
        return out - (aug_level * torch.pi / 2).cos()[:, None, None, None] * given["low_res"]

    difference = network_alone(torch.tensor([0.3, 0.9])) - network_alone(torch.tensor([0.5, 0.7]))
    assert difference.abs().mean(dim=(1, 2, 3)).min() > 1e-3


@torch.no_grad()
def test_a_new_network_predicts_nothing_but_the_low_resolution_picture() -> None:
    assert not predict(UNet(MIXED), **inputs(MIXED)).any()
    given = inputs(LOCAL, n=3)
    out = predict(UNet(LOCAL), **given)
    expected = [math.cos(level * math.pi / 2) for level in (0.3, 0.9, 0.0)]
    torch.testing.assert_close(out, given["low_res"] * torch.tensor(expected).view(3, 1, 1, 1))


def test_low_res_and_aug_level_come_together_and_to_super_resolution_only() -> None:
    given = inputs(LOCAL)
    with pytest.raises(ValueError, match="needs low_res and aug_level"):
        predict(random_unet(LOCAL), **{key: value for key, value in given.items() if key != "aug_level"})
    with pytest.raises(ValueError, match="needs low_res and aug_level"):
        predict(random_unet(LOCAL), **{key: value for key, value in given.items() if key != "low_res"})
    with pytest.raises(ValueError, match="only a super-resolution U-Net"):
        predict(random_unet(replace(LOCAL, low_res=False)), **given)


@torch.no_grad()
def test_memory_format_and_batch_do_not_change_the_numbers() -> None:
    config = replace(MIXED, low_res=True)
    unet, given = random_unet(config), inputs(config, n=3)
    out = predict(unet, **given)
    assert out.shape == given["x_t"].shape
    last = {k: v.contiguous(memory_format=torch.channels_last) if v.dim() == 4 else v for k, v in given.items()}
    torch.testing.assert_close(predict(unet, **last), out, atol=1e-5, rtol=1e-5)
    for image in range(3):
        alone = predict(unet, **{name: value[image : image + 1] for name, value in given.items()})
        torch.testing.assert_close(alone[0], out[image], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_bfloat16_stays_near_float32() -> None:
    unet, given = random_unet(MIXED), inputs(MIXED)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = predict(unet, **given).float()
    exact = predict(unet, **given)
    assert (rough - exact).square().mean().sqrt() < 0.03 * exact.std()


@torch.no_grad()
def test_without_attention_to_the_image_far_pixels_have_no_influence() -> None:
    """What lets the last stage be trained on windows: reach is 28 pixels in this one."""
    unet, given = random_unet(LOCAL), inputs(LOCAL, size=96)
    changed = given | {name: given[name].clone() for name in ("x_t", "low_res")}
    for name in ("x_t", "low_res"):
        changed[name][:, :, :, :16] += 3
    difference = (predict(unet, **changed) - predict(unet, **given)).abs().amax(dim=(0, 1, 2))  # by column
    assert difference[:16].min() > 0.01
    assert difference[20] > 0
    assert difference[16 + 32 :].max() < 1e-6

    far = random_unet(replace(LOCAL, attention=("none", "image and text")))
    assert (predict(far, **changed) - predict(far, **given)).abs().amax(dim=(0, 1, 2))[48:].max() > 1e-5


@torch.no_grad()
def test_a_window_is_drawn_as_the_same_part_of_the_whole() -> None:
    unet, given = random_unet(LOCAL), inputs(LOCAL, size=128)
    window = {k: v[:, :, 16:112, 24:120] if v.dim() == 4 else v for k, v in given.items()}
    inner = slice(32, 64)
    whole = predict(unet, **given)[:, :, 16:112, 24:120]
    torch.testing.assert_close(
        predict(unet, **window)[:, :, inner, inner], whole[:, :, inner, inner], atol=1e-5, rtol=1e-4
    )


def run_with_log(unet: UNet, given: dict[str, Tensor], stop_at: int = 0) -> list[str]:
    """The sequence of pauses and of blocks that ended; the pause number `stop_at` stops, if any does."""
    log: list[str] = []

    def pause() -> None:
        log.append("pause")
        if log.count("pause") == stop_at:
            raise Stopped

    for module in unet.modules():
        if isinstance(module, FeedForward | ResNetBlock | SelfAttention | TextAttention):
            module.register_forward_hook(lambda *_: log.append("block"))
    with torch.no_grad():
        if stop_at:
            with pytest.raises(Stopped):
                predict(unet, **given, between_blocks=pause)
        else:
            predict(unet, **given, between_blocks=pause)
    return log


def test_there_is_a_pause_before_every_block() -> None:
    log = run_with_log(random_unet(MIXED), inputs(MIXED))
    down = 1 + 4 + 2  # 1 block, 2 and two attentions, 1 and one; up as many
    assert log == ["pause", "block"] * (down + 2 * 3 + down)


@pytest.mark.parametrize("stop_at", [1, 4, 12])
def test_what_a_pause_raises_stops_the_work_there(stop_at: int) -> None:
    log = run_with_log(random_unet(MIXED), inputs(MIXED), stop_at)
    assert log == [*["pause", "block"] * (stop_at - 1), "pause"]


@torch.no_grad()
def test_a_network_that_grows_draws_at_first_as_before() -> None:
    small, large, given = random_unet(PLAIN), UNet(MIXED), inputs(MIXED)
    grown = large.load_state_dict(small.state_dict(), strict=False)
    assert {name.split(".")[0] for name in grown.missing_keys} == {"down", "up", "middle", "text_layers"}
    torch.testing.assert_close(predict(large, **given), predict(small, **given), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_where_a_pixel_is_matters_with_places_only() -> None:
    """Under a pattern that repeats, away from the border, nothing else tells one pixel from another."""
    given = inputs(LOCAL, size=128)
    for name in ("x_t", "low_res"):
        given[name] = given[name][:, :, :8, :8].repeat(1, 1, 16, 16)
    for places in (False, True):
        out = predict(random_unet(replace(LOCAL, places=places)), **given)[0, :, 32:96, 32:96]
        moved = (out[:, :, 8:] - out[:, :, :-8]).abs().mean(), (out[:, 8:] - out[:, :-8]).abs().mean()
        assert (min(moved) > 1e-3) if places else (max(moved) < 1e-5)
