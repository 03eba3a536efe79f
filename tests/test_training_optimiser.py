"""Muon and AdamW over one network: against torch's own on the plain matrices, and there and back through a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from imagen_core.models.unet import UNet
from imagen_core.models.unet_config import UNetConfig
from imagen_core.training.optimiser import EMA_DECAY, Optimiser

RATE = 0.01
CONFIG = UNetConfig(
    2, (32, 32), (1, 1), ("none", "image and text"), low_res=True, t5_width=16, text_width=24, embedding=32
)


def network() -> UNet:
    torch.manual_seed(0)
    return UNet(CONFIG).to(memory_format=torch.channels_last)


def set_gradients(unet: nn.Module, seed: int, size: float = 1.0) -> dict[str, Tensor]:
    """Random gradients of norm `size`, by name."""
    random = torch.Generator().manual_seed(seed)
    drawn = {name: torch.randn(value.shape, generator=random) for name, value in unet.named_parameters()}
    norm = torch.cat([value.flatten() for value in drawn.values()]).norm()
    for name, value in unet.named_parameters():
        drawn[name] *= size / norm
        value.grad = drawn[name].clone(memory_format=torch.preserve_format).to(value.device)
    return drawn


def weights(unet: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in unet.named_parameters()}


def is_hidden(name: str, value: Tensor) -> bool:
    """Matrices and convolutions between the ends of the network."""
    outer = ("stem.", "head.", "time.", "text_adapter.", "pooled_text.")
    return value.dim() in (2, 4) and not name.startswith(outer) and ".modulation." not in name


def test_hidden_weights_take_muons_steps_and_all_else_adamws() -> None:
    """Three updates at three rates, held against torch's optimisers on copies, convolutions as (out, in k k)."""
    unet = network()
    optimiser = Optimiser(unet, RATE)
    before, copied = weights(unet), weights(unet)
    copies = {name: nn.Parameter(value.flatten(1) if value.dim() == 4 else value) for name, value in copied.items()}
    hidden = [name for name, value in unet.named_parameters() if is_hidden(name, value)]
    assert 20 < len(hidden) < len(copies)
    muon = torch.optim.Muon(
        [copies[name] for name in hidden], lr=RATE, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
    )
    rest = [value for name, value in copies.items() if name not in hidden]
    adamw = torch.optim.AdamW(rest, lr=RATE / 2, betas=(0.9, 0.99), weight_decay=0.0)
    for update, share in enumerate((0.3, 1.0, 0.5)):
        for name, gradient in set_gradients(unet, update).items():
            copies[name].grad = gradient.view_as(copies[name])
        optimiser.step(share, update)
        muon.param_groups[0]["lr"], adamw.param_groups[0]["lr"] = RATE * share, RATE / 2 * share
        muon.step()
        adamw.step()
    for name, value in unet.named_parameters():
        moved = copies[name].detach().view_as(value) - before[name]
        difference = (value.detach() - before[name] - moved).norm() / moved.norm()
        # Muon multiplies in bfloat16, and here its columns come in another order.
        assert difference < (0.03 if name in hidden else 1e-4), name


def test_a_muon_step_is_a_rotation_of_the_size_of_an_adamw_step() -> None:
    """All singular values of the update are alike: that is what Muon does and what no other rule does."""
    unet = network()
    before = weights(unet)
    optimiser = Optimiser(unet, RATE)
    set_gradients(unet, 1)
    optimiser.step(1.0, 0)
    for name, value in unet.named_parameters():
        update = (value.detach() - before[name]).flatten(1) if value.dim() > 1 else value.detach() - before[name]
        if is_hidden(name, value):
            scale = RATE * 0.2 * max(update.shape) ** 0.5
            singular = torch.linalg.svdvals(update / scale)
            assert singular.max() < 1.3, name
            assert singular.quantile(0.1) > 0.5, name  # the least of a random square matrix are too small to be raised
        else:  # AdamW's first step moves every number by the learning rate, whatever its gradient
            assert (update.abs() / (RATE / 2) - 1).abs().mean() < 0.01, name


def test_gradients_are_clipped_to_norm_one_and_used_up() -> None:
    outcomes, before = [], weights(network())
    for size in (1.0, 50.0):
        unet = network()
        optimiser = Optimiser(unet, RATE)
        for update in range(2):  # were the first not clipped, its moments would drown the second
            set_gradients(unet, update, size if update == 0 else 0.5)
            optimiser.step(1.0, update)
        assert all(value.grad is None for value in unet.parameters())
        outcomes.append(weights(unet))
    for name, value in outcomes[0].items():
        assert (outcomes[1][name] - value).norm() < 0.02 * (value - before[name]).norm(), name


def test_a_share_of_zero_moves_nothing() -> None:
    unet = network()
    before = weights(unet)
    optimiser = Optimiser(unet, RATE)
    set_gradients(unet, 1)
    optimiser.step(0.0, 0)
    assert all(torch.equal(value, before[name]) for name, value in unet.named_parameters())


def test_the_average_follows_its_recursion() -> None:
    unet = network()
    optimiser = Optimiser(unet, RATE)
    expected = weights(unet)
    for update in range(6):
        set_gradients(unet, update)
        optimiser.step(1.0, update)
        decay = min(EMA_DECAY, (1 + update) / (10 + update))  # early on the start value must not weigh
        for name, value in weights(unet).items():
            expected[name] = decay * expected[name] + (1 - decay) * value
    for name, value in expected.items():
        torch.testing.assert_close(optimiser.average[name], value)
        assert not torch.equal(optimiser.average[name], weights(unet)[name])


def test_a_run_that_is_taken_up_from_its_state_is_bit_equal_to_one_that_was_not_interrupted(tmp_path: Path) -> None:
    whole, first = network(), network()
    through, before = Optimiser(whole, RATE), Optimiser(first, RATE)
    for update in range(3):
        for unet, optimiser in ((whole, through), (first, before)):
            set_gradients(unet, update)
            optimiser.step(1.0, update)
    save_file({name: value.contiguous() for name, value in before.state().items()}, tmp_path / "state")
    torch.manual_seed(99)
    second = UNet(CONFIG).to(memory_format=torch.channels_last)  # other start values
    after = Optimiser(second, RATE)
    after.load_state(load_file(tmp_path / "state"))
    for update in range(3, 6):
        for unet, optimiser in ((whole, through), (second, after)):
            set_gradients(unet, update)
            optimiser.step(0.7, update)
    for name, value in whole.named_parameters():
        assert torch.equal(dict(second.named_parameters())[name], value), name
        assert torch.equal(after.average[name], through.average[name]), name
    assert after.state().keys() == through.state().keys()
    assert all(torch.equal(value, through.state()[name]) for name, value in after.state().items())


def test_a_state_without_moments_gives_weights_and_average() -> None:
    unet = network()
    optimiser = Optimiser(unet, RATE)
    set_gradients(unet, 0)
    optimiser.step(1.0, 0)
    bare = {key: value for key, value in optimiser.state().items() if key.startswith(("weights.", "average."))}
    other = network()
    taken = Optimiser(other, RATE)
    taken.load_state(bare)
    assert all(torch.equal(value, weights(unet)[name]) for name, value in other.named_parameters())
    set_gradients(other, 1)
    taken.step(1.0, 1)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_leaves_weights_and_average_as_they_were(bad: float) -> None:
    unet = network()
    optimiser = Optimiser(unet, RATE)
    set_gradients(unet, 0)
    optimiser.step(1.0, 0)
    state = {name: value.clone() for name, value in optimiser.state().items()}
    set_gradients(unet, 1)
    unet.head.bias.grad[0] = bad
    with pytest.raises(FloatingPointError, match=r"gradient's norm is (nan|inf) at update 1"):
        optimiser.step(1.0, 1)
    assert all(torch.equal(value, state[name]) for name, value in optimiser.state().items())


def test_a_network_whose_convolutions_muon_could_not_reach_is_refused() -> None:
    """In plain memory the matrix of a convolution is a copy: it would be trained in the network's place."""
    with pytest.raises(ValueError, match=r"conv_1\.weight is not in channels-last memory"):
        Optimiser(UNet(CONFIG), RATE)
