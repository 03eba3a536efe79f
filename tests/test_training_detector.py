"""The detector: peaks in hand-made maps, cut-outs, targets that lead back to the things, a training that learns."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from imagen_core.training.colours import COLOURS
from imagen_core.training.detector import CUT, GRID, Detector, cut_out, peaks
from imagen_core.training.detector_pictures import any_scene, disturbed, labelled
from imagen_core.training.detector_training import digest, heat_loss, kept_detector, loss, targets, train
from imagen_core.training.scenes import STYLES, is_held_out
from imagen_core.training.sprites import concepts
from tests.drawn_sprites import drawn_sprites


@pytest.fixture(scope="module")
def sprites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield from drawn_sprites(tmp_path_factory.mktemp("cache"))


def maps(*things: tuple[int, int, float, float, float, float]) -> torch.Tensor:
    """(4, 16, 16) from (row, column, heat, x in the cell, y in the cell, side)."""
    made = torch.zeros(4, GRID, GRID)
    made[0] = -9
    for row, column, heat, x, y, side in things:
        made[:, row, column] = torch.tensor([torch.logit(torch.tensor(heat)), x, y, torch.tensor(side).log()])
    return made


def test_a_peak_is_a_thing_with_its_place_and_size() -> None:
    (only,) = peaks(maps((4, 8, 0.9, 0.5, 0.25, 0.3)))
    assert (only.x, only.y, only.size) == pytest.approx((8.5 / 16, 4.25 / 16, 0.3))


def test_nothing_is_seen_in_an_empty_map_and_below_the_threshold() -> None:
    assert peaks(maps()) == []
    assert peaks(maps((4, 8, 0.35, 0.5, 0.5, 0.3))) == []


def test_the_slope_of_a_peak_is_no_thing() -> None:
    found = peaks(maps((4, 8, 0.9, 0.5, 0.5, 0.1), (4, 9, 0.8, 0.5, 0.5, 0.1), (5, 8, 0.7, 0.5, 0.5, 0.1)))
    assert [(peak.x * 16, peak.y * 16) for peak in found] == [pytest.approx((8.5, 4.5))]


def test_of_two_peaks_in_one_large_thing_the_surer_stays() -> None:
    """Four cells apart, a quarter of the picture: inside a thing of 0.6, not inside one of 0.3."""
    for side, kept in ((0.6, [12]), (0.3, [12, 8])):
        found = peaks(maps((6, 8, 0.6, 0.0, 0.5, side), (6, 12, 0.8, 0.0, 0.5, side)))
        assert [round(peak.x * 16) for peak in found] == kept, side


def test_a_cut_out_is_the_thing_alone() -> None:
    """The second picture holds a quadrant of 1 right below; seen a little wider than it is, it reaches the border."""
    pictures = torch.zeros(2, 1, 64, 64)
    pictures[1, :, 32:, 32:] = 1
    cuts = cut_out(pictures, torch.tensor([1, 0, 1]), torch.tensor([[0.75, 0.75, 0.5], [0.75, 0.75, 0.5], [0.25] * 3]))
    assert cuts.shape == (3, 1, CUT, CUT)
    margin = round(CUT * 0.075 / 1.15)
    assert bool((cuts[0, 0, margin + 1 :, margin + 1 :] == 1).all())
    assert bool((cuts[0, 0, : margin - 1] == 0).all())
    assert not cuts[1:].any()


def test_targets_lead_back_to_the_things() -> None:
    """Maps that are exactly what is wanted are read as the things, in their pictures, and cost nothing."""
    places = torch.tensor([[0.27, 0.5, 0.4], [0.73, 0.48, 0.42], [0.5, 0.5, 0.8]])
    rows = torch.tensor([0, 0, 2])
    heat, cells, values = targets(rows, places, 3)
    wanted = torch.zeros(3, 4, GRID, GRID)
    wanted[:, 0] = torch.logit(heat, eps=1e-4)
    wanted[rows, 1:, cells[:, 0], cells[:, 1]] = values
    found = [sorted(peaks(each), key=lambda peak: peak.x) for each in wanted]
    assert [len(each) for each in found] == [2, 0, 1]
    for peak, place in zip([*found[0], *found[2]], places, strict=True):
        assert [peak.x, peak.y, peak.size] == pytest.approx(place.tolist(), abs=1e-5)
    exact = torch.where(heat == 1, 12.0, -12.0)
    assert float(heat_loss(exact, heat)) < 1e-6
    assert float(heat_loss(-exact, heat)) > 10


def test_its_scenes_hold_everything_in_every_way() -> None:
    scenes = [any_scene(random.Random(seed)) for seed in range(1500)]
    things = [thing for scene in scenes for thing in scene.things]
    assert {thing.concept for thing in things} == set(concepts())
    assert {thing.colour for thing in things} == {"", *COLOURS}
    assert {scene.style for scene in scenes} == set(STYLES)
    assert set(Counter(len(scene.things) for scene in scenes)) == {1, 2, 3, 4, 5}
    assert any(is_held_out(scene) for scene in scenes)
    for thing in things:
        assert thing.size / 2 - 0.1 < min(thing.x, thing.y, 1 - thing.x, 1 - thing.y)
        assert thing.colour != thing.concept.colour or not thing.colour


def test_labels_are_those_of_the_pictures(sprites: Path) -> None:
    """Every thing's middle differs from the empty background where it is said to be."""
    data = labelled(12, seed=4)
    again = random.Random(4)
    rows = data.names[:, 0].tolist()
    assert rows == sorted(rows)
    assert set(rows) == set(range(12))
    assert data.pictures.dtype == torch.uint8
    first = any_scene(again)
    mine = data.names[:, 0] == 0
    assert data.things[mine].tolist() == [pytest.approx([t.x, t.y, t.size]) for t in first.things]
    assert [concepts()[k] for k in data.names[mine, 1].tolist()] == [t.concept for t in first.things]


def test_disturbance_keeps_the_picture_and_its_range() -> None:
    torch.manual_seed(0)
    plain = torch.linspace(-1, 1, 64).expand(8, 3, 64, 64).contiguous()
    changed = disturbed(plain)
    assert changed.shape == plain.shape
    assert float(changed.abs().max()) <= 1
    assert 0.005 < float((changed - plain).abs().mean()) < 0.25


def test_training_lowers_the_loss(sprites: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = labelled(24, seed=0)
    detector = train(data, 8)
    assert not detector.training
    torch.manual_seed(1)
    untrained = Detector()
    with torch.no_grad():
        losses = []
        for network in (untrained, detector):
            network.train()
            torch.manual_seed(2)
            losses.append(float(loss(network, data, torch.arange(24))))
    assert losses[1] < 0.8 * losses[0], losses


def test_a_kept_detector_is_taken_as_it_is(tmp_path: Path) -> None:
    """It is found by the digest of its code; a reading of it has the words of the scenes."""
    from safetensors.torch import save_file

    torch.manual_seed(3)
    kept = Detector()
    with torch.no_grad():
        kept.locator.maps.bias.copy_(torch.tensor([3.0, 0.5, 0.5, -2.0]))  # sees something everywhere
    save_file(kept.state_dict(), tmp_path / f"detector-{digest()}.safetensors")
    detector = kept_detector(tmp_path)
    assert all(
        torch.equal(a, b) for a, b in zip(detector.state_dict().values(), kept.state_dict().values(), strict=True)
    )
    pictures = torch.randn(3, 3, 64, 64)
    readings = detector.read(pictures)
    assert len(readings) == 3
    assert any(reading.things for reading in readings)
    for one, reading in zip(pictures, readings, strict=True):
        assert detector.read(one[None])[0].background == reading.background
        for found in reading.things:
            assert found.icon in {concept.icon for concept in concepts()}
            assert found.colour in {"", *COLOURS}


def test_a_picture_without_things_has_a_background_all_the_same() -> None:
    detector = Detector().eval()
    with torch.no_grad():
        detector.locator.maps.bias[0] = -99
    (reading,) = detector.read(torch.zeros(1, 3, 64, 64))
    assert reading.things == ()
    assert reading.background
