"""The training loop on a tiny real network: it learns, ends with its budget, and never loses a good state."""

from __future__ import annotations

import resource
import time
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor

from imagen_core.checkpoints import load_stage
from imagen_core.models.unet import UNetConfig
from imagen_core.shards import read_manifest
from imagen_core.training.__main__ import export
from imagen_core.training.config import StageConfig
from imagen_core.training.corpus import Corpus
from imagen_core.training.loop import Progress, Trainer, every, learning_rate_share
from imagen_core.training.objective import loss

TINY = StageConfig(
    stage="base",
    size=16,
    crop=1.0,
    unet=UNetConfig(4, (64,), (1,), ("text",), t5_width=16, text_width=32, embedding=64),
    prediction="x_0",
    snr_cap=6.0,
    batch=8,
    learning_rate=4e-3,
    warm_up=10,
)


def eight_pictures() -> Corpus:
    """Eight plain pictures, each of another colour and with a text of two tokens that tells it."""
    random = torch.Generator().manual_seed(0)
    colours = torch.tensor([[r, g, b] for r in (20, 235) for g in (20, 235) for b in (20, 235)], dtype=torch.uint8)
    pictures = colours[:, :, None, None].expand(8, 3, 16, 16).contiguous()
    states = (torch.randn(16, 16, generator=random) * 0.1).half()
    return Corpus([{"pictures": pictures, "states": states, "ends": torch.arange(2, 18, 2)}])


def train(trainer: Trainer, updates: int, minutes: float | None = 10_000) -> None:
    """So many updates at the start of a long budget, where the learning rate hardly falls."""
    for _ in islice(trainer.run(eight_pictures(), minutes), updates):
        pass


def measured(trainer: Trainer, config: StageConfig = TINY) -> float:
    """The loss on a fixed draw of 64 pictures, timesteps and noise, with the text."""
    torch.manual_seed(7)
    batch = eight_pictures().batch(64, torch.Generator().manual_seed(7))
    with torch.no_grad():
        return float(loss(trainer.unet, batch, replace(config, text_drop=0.0), trainer.schedule))


def weights(trainer: Trainer) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in trainer.unet.named_parameters()}


def assert_same(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.equal(b[name], value), name


# Learning


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trainer, float]:
    """A trainer after 120 updates, and its loss before them."""
    trainer = Trainer(TINY, tmp_path_factory.mktemp("trained") / "state")
    before = measured(trainer)
    train(trainer, 120)
    return trainer, before


def test_eight_pictures_are_learnt_by_heart(trained: tuple[Trainer, float]) -> None:
    trainer, before = trained
    assert measured(trainer) < before / 10
    assert before / 10 < trainer.progress.loss < before  # a mean over the run so far


def test_v_is_learnt_too(tmp_path: Path) -> None:
    """Slower, as most of it is noise, which has to be told from the picture at every timestep."""
    config = replace(TINY, prediction="v")
    trainer = Trainer(config, tmp_path / "state")
    before = measured(trainer, config)
    train(trainer, 50)
    assert measured(trainer, config) < 0.75 * before


def test_the_text_is_learnt(trained: tuple[Trainer, float]) -> None:
    """From noise alone nothing but the text tells which of the eight pictures is asked for."""
    unet = trained[0].unet.eval()
    batch = eight_pictures().batch(32, torch.Generator().manual_seed(1))
    noise = torch.randn(batch.pictures.shape, generator=torch.Generator().manual_seed(2))
    wanted = batch.pictures.mean(dim=(2, 3))  # of -0.84 and 0.84
    t = torch.full((32,), 999.0)
    with torch.no_grad():
        drawn = unet(noise, t, batch.states, batch.mask).mean(dim=(2, 3))
        blind = unet(noise, t, batch.states, torch.zeros_like(batch.mask)).mean(dim=(2, 3))
    assert (drawn.sign() == wanted.sign()).float().mean() > 0.9
    assert (drawn - wanted).abs().mean() < 0.4
    assert (blind - wanted).abs().mean() > 0.6


def test_the_text_begins_standardised_in_the_weights_and_in_their_average(tmp_path: Path) -> None:
    """T5's dimensions differ much in size; each is brought to mean 0 and deviation 1 before the first update."""
    corpus = eight_pictures()
    held = corpus._shards[0]["states"]
    held[:, 0] += 30 * held[:, 1]
    states = F.layer_norm(corpus.states().float(), (16,))
    assert states.std(dim=0).max() > 5 * states.std(dim=0).min()
    trainer = Trainer(replace(TINY, learning_rate=1e-9), tmp_path / "state")
    next(trainer.run(corpus, 10_000))
    for found in (weights(trainer), trainer.averaged()):
        scaled = states * found["text_adapter.norm.weight"] + found["text_adapter.norm.bias"]
        torch.testing.assert_close(scaled.mean(dim=0), torch.zeros(16), atol=1e-3, rtol=0)
        torch.testing.assert_close(scaled.std(dim=0), torch.ones(16), atol=1e-3, rtol=0)


# Budget and progress


def test_the_learning_rate_warms_up_and_falls_to_zero_with_the_budget() -> None:
    def share(elapsed: float, update: int) -> float:
        return learning_rate_share(Progress(budget=100.0, elapsed=elapsed), update, warm_up=10)

    assert [share(0, update) for update in (0, 4, 9, 10, 99)] == pytest.approx([0.1, 0.5, 1, 1, 1])
    assert [share(elapsed, 50) for elapsed in (0, 25, 50, 99, 100, 120)] == pytest.approx([1, 0.75, 0.5, 0.01, 0, 0])
    assert share(50, 4) == pytest.approx(0.25)


def test_a_run_ends_with_its_budget_and_tells_how_far_it_is(tmp_path: Path) -> None:
    trainer = Trainer(TINY, tmp_path / "state")
    started = time.monotonic()
    told = [replace(progress) for progress in trainer.run(eight_pictures(), 0.5 / 60)]
    seconds = time.monotonic() - started
    assert [progress.update for progress in told] == list(range(1, len(told) + 1))
    assert [progress.images for progress in told] == [8 * progress.update for progress in told]
    assert all(progress.elapsed < 0.5 for progress in told[:-1])
    assert 0.5 <= told[-1].elapsed <= seconds
    assert told[-1].total_seconds == pytest.approx(told[-1].elapsed)
    assert all(progress.budget == 0.5 for progress in told)


def test_without_an_earlier_run_a_budget_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give --minutes"):
        next(Trainer(TINY, tmp_path / "state").run(eight_pictures(), None))


def test_a_spent_budget_is_not_exceeded_and_a_new_one_goes_on(tmp_path: Path) -> None:
    trainer = Trainer(TINY, tmp_path / "state")
    for _ in trainer.run(eight_pictures(), 0.1 / 60):
        pass
    updates, total = trainer.progress.update, trainer.progress.total_seconds
    assert list(trainer.run(eight_pictures(), None)) == []
    train(trainer, 3)
    assert trainer.progress.update == updates + 3
    assert trainer.progress.total_seconds > total
    assert trainer.progress.elapsed < trainer.progress.total_seconds


# The state


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


# From training to use


def test_an_exported_stage_is_loaded_and_draws_what_was_trained(tmp_path: Path) -> None:
    trainer = Trainer(replace(TINY, size=64), tmp_path / "state")  # what a base stage has to draw
    train(trainer, 10)
    folder = tmp_path / "model"
    folder.mkdir()
    export(trainer, folder)
    stage = load_stage(folder, "base", read_manifest(folder))
    assert (stage.name, stage.size, stage.prediction) == ("base", 64, "x_0")
    assert torch.equal(stage.noise_schedule.alphas_cumprod, trainer.schedule.alphas_cumprod)
    assert stage.noise_schedule.name == trainer.schedule.name
    batch = eight_pictures().batch(4, torch.Generator().manual_seed(0))
    trainer.unet.load_state_dict(trainer.averaged())
    arguments = (torch.randn(4, 3, 16, 16), torch.full((4,), 900.0), batch.states, batch.mask)
    with torch.no_grad():
        expected, drawn = trainer.unet.eval()(*arguments), stage.unet(*arguments)
    assert expected.std() > 0.05
    torch.testing.assert_close(drawn, expected, atol=5e-3, rtol=1e-2)  # float16 in the file
    assert not any(parameter.requires_grad for parameter in stage.unet.parameters())


def test_every_runs_an_action_once_in_so_many_seconds() -> None:
    times: list[float] = []
    started = time.monotonic()
    call = every(0.05, lambda: times.append(time.monotonic() - started))
    call()
    assert times == [] or started + 0.05 <= time.monotonic()  # not at once
    while len(times) < 3:
        call()
    assert times[0] >= 0.05
    assert all(later - earlier >= 0.05 for earlier, later in pairwise(times))
