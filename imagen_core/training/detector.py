"""What is where in a 64-pixel picture: a detector for measuring, trained on real renders alone.

Two small networks. The first marks the centre and size of every thing on a 16 x 16 grid, by peaks of a heat map as in
CenterNet (arXiv 1904.07850), and names background and style. The second looks at each thing, cut out and brought to
one size, and names its concept, colour and style. What both say of the style is added up, for strokes show on the
things and around them. `detector_training` trains them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagen_core.training.backgrounds import BACKGROUNDS
from imagen_core.training.cells import LIMIT, unevenness
from imagen_core.training.colours import COLOURS
from imagen_core.training.scenes import PIXEL_ART, STYLES
from imagen_core.training.sprites import concepts
from imagen_core.training.truth import Found, Reading

GRID = 16  # cells a side
CUT = 32  # pixels a side of a thing that is looked at
CUT_MARGIN = 1.15  # what is cut out, in sides of the thing
PAINTS = ("", *COLOURS)  # "" = in its own colours
THRESHOLD = 0.4  # of a peak in the heat map
ECHO = 0.65  # things of scenes are apart by 0.85 of the larger one's side, at least


class Block(nn.Module):
    """Two convolutions around which the input goes by."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_normed(width), _conv(width, width), _normed(width), _conv(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, h, w) to the same."""
        moved: Tensor = self.body(x)
        return x + moved


def _normed(width: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(width), nn.SiLU())


def _conv(before: int, after: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, stride, 1)


class Locator(nn.Module):
    """Pictures (n, 3, 64, 64) to maps (n, 4, 16, 16), heat logit, x and y in the cell, log size, and to words."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(nn.PixelUnshuffle(4), _conv(48, 32), Block(32))  # 16 x 16
        self.middle = nn.Sequential(_conv(32, 64, 2), Block(64), Block(64))  # 8 x 8
        self.coarse = nn.Sequential(_conv(64, 128, 2), Block(128), Block(128))  # 4 x 4
        self.up = nn.Conv2d(128, 64, 1)
        self.join = nn.Sequential(nn.Conv2d(64, 32, 1), nn.Upsample(scale_factor=2), Block(32), _normed(32))
        self.maps = nn.Conv2d(32, 4, 1)
        self.sizes = (len(BACKGROUNDS), len(STYLES))
        self.whole = nn.Linear(32 + 128 * 16, sum(self.sizes))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps, logits of BACKGROUNDS (n, 18) and of STYLES (n, 4)."""
        fine = self.fine(pictures)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        joined = self.join(middle + F.interpolate(self.up(coarse), scale_factor=2.0))
        seen = torch.cat([joined.mean((2, 3)), coarse.flatten(1)], dim=1)
        background, style = self.whole(seen).split(self.sizes, dim=1)
        return self.maps(joined + fine), background, style


class Namer(nn.Module):
    """Cut-outs (m, 3, 32, 32) to scores of the concepts, of PAINTS and of STYLES."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes = (len(concepts()), len(PAINTS), len(STYLES))
        self.body = nn.Sequential(
            nn.PixelUnshuffle(2), _conv(12, 48), Block(48), _conv(48, 96, 2), Block(96), Block(96),
            _conv(96, 160, 2), Block(160), _normed(160), nn.Flatten(), nn.Dropout(0.2),
        )  # fmt: skip
        self.scores = nn.Linear(160 * 16, sum(self.sizes))

    def forward(self, cuts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Three tensors of logits, (m, count of words)."""
        concept, paint, style = self.scores(self.body(cuts)).split(self.sizes, dim=1)
        return concept, paint, style


@dataclass(frozen=True)
class Peak:
    """A thing's place: centre and side length as shares of the picture."""

    x: float
    y: float
    size: float


def peaks(maps: Tensor) -> list[Peak]:
    """The things in one picture's maps (4, 16, 16), the surest first.

    A peak is a cell above THRESHOLD and above its eight neighbours. Of two peaks that are nearer to each other than
    ECHO of the larger one's side, the weaker is an echo.
    """
    heat = maps[0].sigmoid()
    highest = F.max_pool2d(heat[None], 3, stride=1, padding=1)[0]
    rows, columns = torch.nonzero((heat == highest) & (heat > THRESHOLD), as_tuple=True)
    order = heat[rows, columns].argsort(descending=True)
    kept: list[Peak] = []
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        x, y = ((cell + float(maps[part, row, column])) / GRID for part, cell in ((1, column), (2, row)))
        peak = Peak(x, y, float(maps[3, row, column].exp()))
        if all(max(abs(x - other.x), abs(y - other.y)) > ECHO * max(peak.size, other.size) for other in kept):
            kept.append(peak)
    return kept


def cut_out(pictures: Tensor, rows: Tensor, places: Tensor) -> Tensor:
    """(m, 3, 32, 32): from pictures[rows] (m of n) what is around `places` (m, 3), x, y and side as shares."""
    half = places[:, 2] * CUT_MARGIN
    theta = torch.zeros(len(rows), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = half
    theta[:, :, 2] = places[:, :2] * 2 - 1
    grid = F.affine_grid(theta, [len(rows), 3, CUT, CUT], align_corners=False)
    return F.grid_sample(pictures[rows], grid, padding_mode="border", align_corners=False)


class Detector(nn.Module):
    """Both networks."""

    def __init__(self) -> None:
        super().__init__()
        self.locator, self.namer = Locator(), Namer()

    @torch.inference_mode()
    def read(self, pictures: Tensor) -> list[Reading]:
        """What is seen in pictures (n, 3, 64, 64) in [-1, 1]; whether it is pixel art is measured, not guessed."""
        pictures = pictures.clamp(-1, 1)
        cells = (unevenness(pictures) < LIMIT).tolist()
        maps, backgrounds, styles = self.locator(pictures)
        places = [peaks(map_) for map_ in maps]
        rows = torch.tensor([row for row, found in enumerate(places) for _ in found], dtype=torch.long)
        flat = torch.tensor([[peak.x, peak.y, peak.size] for found in places for peak in found]).view(-1, 3)
        named: list[tuple[int, int]] = []  # concept and paint of every thing
        if len(rows):
            concept, paint, style = self.namer(cut_out(pictures, rows, flat))
            named = list(zip(concept.argmax(dim=1).tolist(), paint.argmax(dim=1).tolist(), strict=True))
            styles = styles.index_add(0, rows, style)
        styles[:, STYLES.index(PIXEL_ART)] = -torch.inf  # measured instead
        readings, first = [], 0
        for row, found in enumerate(places):
            things = tuple(
                Found(concepts()[concept].icon, PAINTS[paint], peak.x, peak.y, peak.size)
                for (concept, paint), peak in zip(named[first : first + len(found)], found, strict=True)
            )
            first += len(found)
            shown = PIXEL_ART if cells[row] else STYLES[int(styles[row].argmax())]
            readings.append(Reading(things, shown, BACKGROUNDS[int(backgrounds[row].argmax())]))
        return readings
