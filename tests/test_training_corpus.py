"""Shards of training pictures: what they hold belongs together, and making them again gives the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from imagen_core.text_encoder import TextEncoder
from imagen_core.training import corpus as corpus_module
from imagen_core.training.captions import caption
from imagen_core.training.config import CONFIGS, StageConfig
from imagen_core.training.corpus import Corpus, load_shard, make_shard, picture, shard_scenes
from imagen_core.training.layout import layout
from imagen_core.training.scenes import STYLES, compose, render
from imagen_core.training.sprites import ICON_SETS, sprite, sprite_path
from tests.conftest import tiny_text_encoder

SCENES = 6
DRAWN_IN = {icon_set.style for icon_set in ICON_SETS}


@pytest.fixture(autouse=True)
def small_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Shards of six scenes, and for their things sprites that are drawn here."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    sprite.cache_clear()
    for seed in range(2 * SCENES):
        scene = compose(random.Random(seed))
        icons = scene.style if scene.style in DRAWN_IN else STYLES[0]  # which the other styles draw again
        for thing in scene.things:
            path = sprite_path(thing.concept.icon, icons)
            path.parent.mkdir(parents=True, exist_ok=True)
            drawing = Image.new("RGBA", (1024, 1024))
            colour = tuple(random.Random(thing.concept.icon).randbytes(3))
            ImageDraw.Draw(drawing).ellipse((0, 0, 1023, 1023), fill=colour, outline="black", width=60)
            drawing.save(path, compress_level=1)
    yield
    sprite.cache_clear()


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return tiny_text_encoder()


def limit(monkeypatch: pytest.MonkeyPatch, config: StageConfig) -> None:
    monkeypatch.setattr(corpus_module, "SHARD_BYTES", SCENES * 3 * config.pixels**2)


def rows(shard: dict[str, Tensor]) -> list[Tensor]:
    """The states of each caption."""
    ends = [0, *shard["ends"].tolist()]
    return [shard["states"][start:end] for start, end in pairwise(ends)]


@pytest.mark.parametrize("stage", ["base", "sr1024"])
def test_a_shard_holds_its_scenes_with_their_captions(
    stage: str, encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CONFIGS[stage]
    limit(monkeypatch, config)
    shard = make_shard(config, 1, encoder, print)
    assert shard["pictures"].shape == (SCENES, 3, config.pixels, config.pixels)
    for row, states in enumerate(rows(shard)):
        rng = random.Random(SCENES + row)
        scene = compose(rng)
        encoded = encoder.encode(caption(scene, rng))
        assert states.dtype == torch.float16
        torch.testing.assert_close(states.float(), encoded.states[0], atol=2e-3, rtol=2e-3)
        shown = picture(scene, config, rng)
        restored = shard["pictures"][row].float() / 127.5 - 1
        torch.testing.assert_close(restored, shown, atol=1 / 255 + 1e-5, rtol=0)
        assert torch.equal(shard["layouts"][row], layout(scene))


def test_pictures_are_the_scene_at_the_stages_size_or_a_window_of_it() -> None:
    scene = compose(random.Random(0))
    base = picture(scene, CONFIGS["base"], random.Random(0))
    large = picture(scene, CONFIGS["sr256"], random.Random(0))
    assert torch.equal(large, render(scene, 256))
    assert base.shape == (3, 64, 64)
    assert float((F.avg_pool2d(large, 4) - base).abs().mean()) < 0.02
    whole = render(scene, 1024)
    windows = set()
    for seed in range(3):
        rng = random.Random(seed)
        left, top = rng.uniform(0, 0.75), rng.uniform(0, 0.75)
        window = picture(scene, CONFIGS["sr1024"], random.Random(seed))
        x, y = round(left * 1024), round(top * 1024)  # to the pixel; the window may begin between two
        difference = (window - whole[:, y : y + 256, x : x + 256]).abs()
        assert float(difference.mean()) < 0.02
        windows.add((x, y))
    assert len(windows) == 3


def test_shards_of_all_stages_are_of_like_size() -> None:
    for config in CONFIGS.values():
        size = shard_scenes(config) * 3 * config.pixels**2
        assert 0.99 * corpus_module.SHARD_BYTES < size <= corpus_module.SHARD_BYTES


def test_a_shard_is_made_once_and_is_the_same_wherever_it_is_made(
    tmp_path: Path, encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CONFIGS["base"]
    limit(monkeypatch, config)
    asked = []

    def lazily() -> TextEncoder:
        asked.append(1)
        return encoder

    first = load_shard(config, 0, tmp_path / "a", lazily)
    kept = load_shard(config, 0, tmp_path / "a", lazily)
    assert len(asked) == 1  # the encoder is loaded where a shard has to be made only
    elsewhere = load_shard(config, 0, tmp_path / "b", lazily)
    other = load_shard(config, 1, tmp_path / "a", lazily)
    for key, value in first.items():
        assert torch.equal(kept[key], value)
        assert torch.equal(elsewhere[key], value)
    assert not torch.equal(other["pictures"], first["pictures"])
    assert sorted(path.suffix for path in (tmp_path / "a").iterdir()) == [".safetensors", ".safetensors"]


def test_a_batch_keeps_pictures_and_texts_together(encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    config = CONFIGS["base"]
    limit(monkeypatch, config)
    shards = [make_shard(config, index, encoder, print) for index in range(2)]
    known = [pair for shard in shards for pair in zip(shard["pictures"], rows(shard), strict=True)]
    batch = Corpus(shards).batch(200, torch.Generator().manual_seed(0))
    assert batch.pictures.shape == (200, 3, 64, 64)
    assert batch.mask.shape == batch.states.shape[:2]
    drawn = set()
    for shown, states, mask in zip(batch.pictures, batch.states, batch.mask, strict=True):
        number = next(k for k, (pixels, _) in enumerate(known) if torch.equal(pixels.float() / 127.5 - 1, shown))
        drawn.add(number)
        expected = known[number][1].float()
        assert int(mask.sum()) == len(expected)
        assert torch.equal(states[mask], expected)
        assert bool(mask[: len(expected)].all())
        assert not states[~mask].any()
    assert drawn == set(range(2 * SCENES))
    again = Corpus(shards).batch(200, torch.Generator().manual_seed(0))
    assert torch.equal(again.pictures, batch.pictures)
    assert not torch.equal(Corpus(shards).batch(200, torch.Generator().manual_seed(1)).pictures, batch.pictures)
