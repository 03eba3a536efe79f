"""Training of the detector, some three quarters of an hour on one core; its weights are kept in the cache folder."""

from __future__ import annotations

import hashlib
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from imagen_core.models.precision import multiplies_bfloat16
from imagen_core.training.corpus import scenes_digest
from imagen_core.training.detector import GRID, Detector, cut_out
from imagen_core.training.detector_pictures import Labelled, disturbed, labelled
from imagen_core.training.sprites import cache_folder

PICTURES = 36_000
UPDATES = 16_000
_BATCH = 24  # pictures of an update
_LOOKS = 64  # of their things that are named
_RATE = 2e-3


def targets(rows: Tensor, places: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """What the maps of `count` pictures shall hold, for things at `places` (m, 3) in the pictures `rows` (m,).

    Heat (count, 16, 16), 1 in the cell of a thing's centre and falling off as a Gaussian of one cell; the cells (m, 2),
    row and column; the values there (m, 3), x and y inside the cell and the log of the side.
    """
    cells = (places[:, :2] * GRID).floor().clamp(0, GRID - 1)  # column, row
    line = torch.arange(GRID)
    across = (line[None, None, :] - cells[:, 0, None, None]) ** 2
    down = (line[None, :, None] - cells[:, 1, None, None]) ** 2
    bumps = torch.exp(-(across + down) / 2)  # (m, 16, 16)
    heat = torch.zeros(count, GRID, GRID).scatter_reduce(0, rows[:, None, None].expand_as(bumps), bumps, "amax")
    values = torch.cat([places[:, :2] * GRID - cells, places[:, 2:].log()], dim=1)
    return heat, cells.flip(1).long(), values


def heat_loss(logits: Tensor, heat: Tensor) -> Tensor:
    """CenterNet's focal loss (equation 1 of arXiv 1904.07850) per thing, of logits and heat (n, 16, 16)."""
    centre = heat == 1
    seen = logits.sigmoid()
    right = centre * (1 - seen) ** 2 * F.logsigmoid(logits)
    wrong = ~centre * (1 - heat) ** 4 * seen**2 * F.logsigmoid(-logits)
    return -(right + wrong).sum() / centre.sum().clamp(min=1)


def loss(detector: Detector, data: Labelled, chosen: Tensor) -> Tensor:
    """The sum of all losses on the pictures `chosen` (n,)."""
    pictures = disturbed(data.pictures[chosen].float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
    position = torch.full((len(data.pictures),), -1)
    position[chosen] = torch.arange(len(chosen))
    mine = position[data.names[:, 0]] >= 0
    names, places = data.names[mine], data.things[mine]
    rows = position[names[:, 0]]
    with torch.autocast("cpu", torch.bfloat16, enabled=multiplies_bfloat16()):
        maps, backgrounds, styles = (output.float() for output in detector.locator(pictures))
    heat, cells, values = targets(rows, places, len(chosen))
    located = maps[rows, 1:, cells[:, 0], cells[:, 1]]
    total = heat_loss(maps[:, 0], heat) + F.l1_loss(located, values) * 2
    total = total + 0.3 * F.cross_entropy(backgrounds, data.backgrounds[chosen])
    total = total + 0.3 * F.cross_entropy(styles, data.styles[chosen])
    some = torch.randperm(len(rows))[:_LOOKS]
    jitter = torch.randn(len(some), 3) * torch.tensor([0.04, 0.04, 0.08])
    side = places[some, 2:]
    looked = torch.cat([places[some, :2] + jitter[:, :2] * side, side * jitter[:, 2:].exp()], dim=1)
    with torch.autocast("cpu", torch.bfloat16, enabled=multiplies_bfloat16()):
        scores = detector.namer(cut_out(pictures, rows[some], looked))
    concept, paint, style = (score.float() for score in scores)
    truth = names[some]
    total = total + F.cross_entropy(concept, truth[:, 1]) + 0.5 * F.cross_entropy(paint, truth[:, 2])
    return total + 0.3 * F.cross_entropy(style, truth[:, 3])


def train(data: Labelled, updates: int) -> Detector:
    """A detector after so many updates; a line of progress now and then."""
    torch.manual_seed(0)
    detector = Detector()
    optimiser = torch.optim.AdamW(detector.parameters(), lr=_RATE, weight_decay=0.05)
    started, mean = time.monotonic(), math.nan
    for update in range(updates):
        for group in optimiser.param_groups:
            group["lr"] = _RATE * min((update + 1) / 100, 1 - update / updates)
        value = loss(detector, data, torch.randperm(len(data.pictures))[:_BATCH])
        optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(detector.parameters(), 5.0)
        optimiser.step()
        mean = float(value.detach()) if math.isnan(mean) else 0.98 * mean + 0.02 * float(value.detach())
        if update % 200 == 199:
            left = (time.monotonic() - started) * (updates / (update + 1) - 1)
            print(f"detector: {update + 1} of {updates} updates, loss {mean:.3f}, {left:.0f} s left", flush=True)
    detector.eval()
    return detector


def digest() -> str:
    """Changes with whatever the detector depends on."""
    names = ("detector.py", "detector_pictures.py", "detector_training.py")
    content = b"".join((Path(__file__).parent / name).read_bytes() for name in names)
    return hashlib.blake2b(content + scenes_digest().encode(), digest_size=4).hexdigest()


def kept_detector(folder: Path | None = None) -> Detector:
    """The detector from the cache folder, trained first where it is not there yet."""
    path = (folder or cache_folder() / "evaluation") / f"detector-{digest()}.safetensors"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        detector = train(labelled(PICTURES, 0), UPDATES)
        save_file(
            {name: value.contiguous() for name, value in detector.state_dict().items()}, path.with_suffix(".part")
        )
        path.with_suffix(".part").replace(path)
    detector = Detector()
    detector.load_state_dict(load_file(path))
    detector.eval()
    return detector
