"""Training pictures in shards: scenes rendered once, their captions encoded once, kept in the cache folder.

Scene number k is drawn from the seed k, so a shard is the same wherever it is made. A shard of the 1024 stage holds
256-pixel windows of scenes: the stage is convolutional and sees no more than that at a time.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from imagen_core.text_encoder import TextEncoder
from imagen_core.training.captions import worded
from imagen_core.training.config import StageConfig
from imagen_core.training.layout import layout, token_groups
from imagen_core.training.objective import Batch
from imagen_core.training.restyling import restyled
from imagen_core.training.scenes import Scene, compose, render

SHARD_BYTES = 150_000_000  # of pixels
_ENCODED_AT_ONCE = 64


def shard_scenes(config: StageConfig) -> int:
    """How many scenes one shard of this stage holds."""
    return SHARD_BYTES // (3 * config.pixels**2)


def picture(scene: Scene, config: StageConfig, rng: random.Random) -> Tensor:
    """One training picture (3, pixels, pixels) in [-1, 1]; the base is reduced from twice its size."""
    if config.crop < 1:
        left, top = (rng.uniform(0, 1 - config.crop) for _ in range(2))
        return render(scene, config.pixels, (left, top, config.crop))
    if config.size == 64:
        return F.avg_pool2d(render(scene, 2 * config.size), 2)
    return render(scene, config.size)


@lru_cache(maxsize=1)
def scenes_digest() -> str:
    """Changes with whatever decides what scenes look like and how captions say it, so that no old shard is reused."""
    said, shown = ("captions", "caption_words", "layout"), ("scenes", "backgrounds", "colours", "sketch", "sprites")
    names = ("concepts.csv", *(f"{module}.py" for module in (*said, *shown, "restyling", "corpus")))
    content = b"".join((Path(__file__).parent / name).read_bytes() for name in names)
    return hashlib.blake2b(content, digest_size=4).hexdigest()


def make_shard(
    config: StageConfig, index: int, encoder: TextEncoder, progress: Callable[[str], None]
) -> dict[str, Tensor]:
    """Render and encode shard `index`: pictures uint8, states float16 and their row ends, one after the other.

    `layouts` and `groups` are those of `layout`, of each whole scene and of each token; `others` are low-resolution
    pictures of the scenes as `restyling` has them, for a stage that is trained on such.
    """
    count = shard_scenes(config)
    pictures = torch.empty(count, 3, config.pixels, config.pixels, dtype=torch.uint8)
    layouts, captions, others = [], [], []
    for row in range(count):
        rng = random.Random(index * count + row)
        scene = compose(rng)
        captions.append(worded(scene, rng))
        layouts.append(layout(scene))
        if config.restyled:
            other = F.avg_pool2d(render(restyled(scene, rng), 2 * config.low_res_pixels), 2)
            others.append(((other + 1) * 127.5).round().byte())
        pictures[row] = ((picture(scene, config, rng) + 1) * 127.5).round().byte()
        if row % 256 == 255:
            progress(f"{config.stage} shard {index}: {row + 1} of {count} scenes")
    order = sorted(range(count), key=lambda row: len(captions[row].text))  # like lengths together: little padding
    states: list[Tensor] = [torch.empty(0)] * count
    for start in range(0, count, _ENCODED_AT_ONCE):
        rows = order[start : start + _ENCODED_AT_ONCE]
        encoded = encoder.encode_batch([captions[row].text for row in rows])
        for row, tokens, mask in zip(rows, encoded.states, encoded.mask, strict=True):
            states[row] = tokens[mask].half()
    ends = torch.tensor([len(tokens) for tokens in states]).cumsum(0)
    groups = torch.cat([token_groups(said, encoder.spans(said.text)) for said in captions])
    return ({"others": torch.stack(others)} if others else {}) | {
        "pictures": pictures,
        "states": torch.cat(states),
        "ends": ends,
        "layouts": torch.stack(layouts),
        "groups": groups,
    }


def load_shard(config: StageConfig, index: int, folder: Path, encoder: Callable[[], TextEncoder]) -> dict[str, Tensor]:
    """The shard from the cache folder, made there first where it is missing."""
    path = folder / f"{config.stage}-{config.pixels}-{scenes_digest()}-{index:03}.safetensors"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        shard = make_shard(config, index, encoder(), lambda line: print(line, flush=True))
        temporary = path.with_suffix(".part")
        save_file(shard, temporary)
        temporary.replace(path)
    return load_file(path)


class Corpus:
    """Random batches from a number of shards."""

    def __init__(self, shards: list[dict[str, Tensor]]) -> None:
        self._shards = shards
        self._count = len(shards[0]["pictures"])

    def states(self) -> Tensor:
        """Token states (count, width) of the first shard's captions."""
        return self._shards[0]["states"]

    def batch(self, size: int, generator: torch.Generator) -> Batch:
        """`size` pictures drawn with replacement, text padded to the longest."""
        drawn = torch.randint(self._count * len(self._shards), (size,), generator=generator).tolist()
        pictures, states, layouts, groups, others = [], [], [], [], []
        for shard, row in (divmod(number, self._count) for number in drawn):
            held = self._shards[shard]
            pictures.append(held["pictures"][row])
            start = int(held["ends"][row - 1]) if row else 0
            end = int(held["ends"][row])
            states.append(held["states"][start:end].float())
            layouts.append(held["layouts"][row])
            others.extend([held["others"][row]] if "others" in held else [])
            groups.append(held["groups"][start:end])
        padded = torch.nn.utils.rnn.pad_sequence(states, batch_first=True)
        lengths = torch.tensor([len(tokens) for tokens in states])
        mask = torch.arange(padded.shape[1])[None] < lengths[:, None]
        said = torch.nn.utils.rnn.pad_sequence(groups, batch_first=True)
        other = torch.stack(others).float() / 127.5 - 1 if others else None
        return Batch(torch.stack(pictures).float() / 127.5 - 1, padded, mask, torch.stack(layouts), said, other)
