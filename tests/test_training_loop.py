"""The training loop: it learns, keeps to its budget, and what it exports is drawn with."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import count, pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from imagen_core.checkpoints import load_stage
from imagen_core.models.conditioning import UNetConditioning
from imagen_core.shards import read_manifest
from imagen_core.training.__main__ import export
from imagen_core.training.loop import PAUSE, Progress, Trainer, every, learning_rate_share
from tests.conftest import tiny_text_encoder
from tests.tiny_training import TINY, assert_same, eight_pictures, measured, train, weights


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
        drawn = unet(noise, t, UNetConditioning(batch.states, batch.mask)).mean(dim=(2, 3))
        blind = unet(noise, t, UNetConditioning(batch.states, torch.zeros_like(batch.mask))).mean(dim=(2, 3))
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


def test_training_goes_on_from_finished_weights_alone(trained: tuple[Trainer, float], tmp_path: Path) -> None:
    shipped = {name: value.half() for name, value in trained[0].averaged().items()}
    trainer = Trainer(TINY, tmp_path / "state")
    trainer.take_over(shipped, images=1000, seconds=60)
    assert_same(weights(trainer), {name: value.float() for name, value in shipped.items()})
    assert_same(trainer.averaged(), weights(trainer))
    assert measured(trainer) < trained[1] / 10
    train(trainer, 2)
    assert trainer.progress.images == 1000 + 2 * TINY.batch
    assert trainer.progress.total_seconds > 60
    assert measured(trainer) < trained[1] / 2  # the first updates do not throw away what was learnt


def test_a_network_that_has_grown_goes_on_from_the_smaller_ones_weights(
    trained: tuple[Trainer, float], tmp_path: Path
) -> None:
    blocks = tuple(count + 1 for count in TINY.unet.blocks)
    larger = replace(TINY, unet=replace(TINY.unet, middle=1, places=True, text_layers=1, blocks=blocks))
    trainer = Trainer(larger, tmp_path / "state")
    trainer.take_over(trained[0].averaged(), images=1000, seconds=60)
    assert measured(trainer, larger) < trained[1] / 10
    train(trainer, 3)
    grown = [name for name in weights(trainer) if name not in trained[0].averaged()]
    assert len({name.split(".")[0] for name in grown}) == 4  # middle, text_layers, further blocks of down and up
    assert sum(bool(weights(trainer)[name].any()) for name in grown) == len(grown)  # what began at zero has moved


def test_an_exported_stage_is_loaded_and_draws_what_was_trained(tmp_path: Path) -> None:
    trainer = Trainer(replace(TINY, size=64), tmp_path / "state")  # what a base stage has to draw
    train(trainer, 10)
    folder = tmp_path / "model"
    folder.mkdir()
    export(trainer, folder)
    stage = load_stage(folder, "base", read_manifest(folder), tiny_text_encoder())
    assert (stage.name, stage.size, stage.prediction) == ("base", 64, "x_0")
    assert torch.equal(stage.noise_schedule.alphas_cumprod, trainer.schedule.alphas_cumprod)
    assert stage.noise_schedule.name == trainer.schedule.name
    batch = eight_pictures().batch(4, torch.Generator().manual_seed(0))
    trainer.unet.load_state_dict(trainer.averaged())
    given = UNetConditioning(batch.states, batch.mask)
    arguments = (torch.randn(4, 3, 16, 16), torch.full((4,), 900.0), given)
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


def test_a_suspended_update_does_not_use_the_budget_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that was stopped for some measuring lost that time twice: it ended early, hardly annealed."""
    hours = count(0, 3600)  # one between any two looks at the clock
    monkeypatch.setattr("imagen_core.training.loop.time", SimpleNamespace(monotonic=lambda: next(hours)))
    trainer = Trainer(TINY, tmp_path / "state")
    run = trainer.run(eight_pictures(), minutes=10)
    for _ in range(2):
        next(run)
    assert trainer.progress.elapsed == 2 * PAUSE


def test_the_mean_loss_begins_with_the_first_one_also_where_weights_were_taken_over(tmp_path: Path) -> None:
    """It began at 0 there, and told of a network better than any."""
    trainer = Trainer(TINY, tmp_path / "state")
    trainer.take_over(dict(trainer.averaged()), images=320, seconds=60)
    before = measured(trainer)
    next(trainer.run(eight_pictures(), minutes=10))
    assert trainer.progress.loss > before / 10
