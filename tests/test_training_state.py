"""The state of a training: it comes back as it was, and nothing that breaks harms it."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from imagen_core.training.loop import Trainer
from tests.tiny_training import TINY, assert_same, eight_pictures, train, weights


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    trainer = Trainer(TINY, tmp_path / "new" / "state")
    train(trainer, 4)
    trainer.save()
    again = Trainer(TINY, tmp_path / "new" / "state")
    assert again.progress == trainer.progress
    assert again.progress.update == 4
    assert_same(weights(again), weights(trainer))
    assert_same(again.averaged(), trainer.averaged())
    assert_same(again.optimiser.state(), trainer.optimiser.state())
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["state"]


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    trainer = Trainer(TINY, tmp_path / "state")
    some = dict(list(trainer.averaged().items())[1:])
    with pytest.raises(ValueError, match=f"not those of the {TINY.stage} stage as it is configured now"):
        trainer.take_over(some, images=1, seconds=1)


def test_a_block_of_which_a_part_is_missing_is_no_block_to_be_added(tmp_path: Path) -> None:
    larger = replace(TINY, unet=replace(TINY.unet, blocks=tuple(count + 1 for count in TINY.unet.blocks)))
    trainer = Trainer(larger, tmp_path / "state")
    some = dict(trainer.averaged())
    some.pop(f"down.0.blocks.{TINY.unet.blocks[0]}.conv_1.weight")
    with pytest.raises(ValueError, match="not those of the"):
        trainer.take_over(some, images=1, seconds=1)


def test_a_resumed_run_goes_on_as_the_interrupted_one_would_have(tmp_path: Path) -> None:
    """The first update after it, bit for bit; the learning rate of later ones depends on the clock."""
    trainer = Trainer(TINY, tmp_path / "state")
    train(trainer, 12)
    trainer.save()
    resumed = Trainer(TINY, tmp_path / "state")
    before = weights(resumed)
    train(trainer, 1, minutes=None)
    train(resumed, 1, minutes=None)
    assert_same(weights(resumed), weights(trainer))
    assert_same(resumed.averaged(), trainer.averaged())
    assert resumed.progress.update == 13
    assert not torch.equal(weights(resumed)["head.weight"], before["head.weight"])


def test_a_new_start_is_the_same_every_time(tmp_path: Path) -> None:
    first, second = Trainer(TINY, tmp_path / "first"), Trainer(TINY, tmp_path / "second")
    train(first, 1)
    torch.manual_seed(123)
    train(second, 1)
    assert_same(weights(first), weights(second))


def test_a_save_that_fails_leaves_the_old_state_and_no_rest(tmp_path: Path) -> None:
    """The disk takes no more than 100 kB of a file: as a full one, but for this process only."""
    path = tmp_path / "state"
    trainer = Trainer(TINY, path)
    train(trainer, 2)
    trainer.save()
    good = path.read_bytes()
    assert len(good) > 200_000
    train(trainer, 1, minutes=None)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises((OSError, SafetensorError)):
            trainer.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == good
    assert [entry.name for entry in tmp_path.iterdir()] == ["state"]
    assert Trainer(TINY, path).progress.update == 2


@pytest.mark.parametrize("damage", ["truncated", "text", "another network"])
def test_a_state_that_does_not_fit_is_refused_in_a_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "state"
    trainer = Trainer(TINY, path)
    trainer.save()
    config = TINY
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "text":
        path.write_text("not a state")
    else:
        config = replace(TINY, unet=replace(TINY.unet, widths=(128,)))
    content = path.read_bytes()
    with pytest.raises(ValueError, match=r"is no state of the base stage as it is configured now .* move it away"):
        Trainer(config, path)
    assert path.read_bytes() == content


def test_a_loss_that_is_not_finite_stops_the_run_before_the_weights_change(tmp_path: Path) -> None:
    trainer = Trainer(TINY, tmp_path / "state")
    train(trainer, 3)
    before = weights(trainer)
    broken = eight_pictures()
    broken._shards[0]["states"][:] = float("nan")
    with pytest.raises(FloatingPointError, match="base: the loss is nan at update 3"):
        next(trainer.run(broken, None))
    assert_same(weights(trainer), before)
    assert trainer.progress.update == 3
    train(trainer, 1, minutes=None)  # and the next run has nothing left of it
    assert all(value.isfinite().all() for value in weights(trainer).values())
