"""The shape of a U-Net, as a checkpoint's header keeps it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from imagen_core.models.attention import HEAD_WIDTH
from imagen_core.models.text import TextPooling

ATTENTIONS = ("none", "text", "image and text")
MAX_LEVELS, MAX_LAYERS, MAX_WIDTH = 8, 64, 8192  # far above any U-Net; a file's header must not ask for endless work


@dataclass(frozen=True)
class UNetConfig:
    """The shape of a U-Net.

    patch: pixels of a side that are folded into channels before the first level.
    widths, blocks, attention: channels, residual blocks on the way down, and attention ("none", "text",
        "image and text") of each level, finest first.
    middle: blocks of attention to image and text and a feed-forward layer, where the image is smallest.
    places: whether levels with attention are told where in the picture a pixel is; not for a stage trained on windows.
    text_layers: layers of attention between the tokens of the text, before all others.
    low_res: whether the network takes a low-resolution image and its aug_level.
    residual: root mean square of what an enlarged clean low-resolution image lacks of x_0; see `spread`.
    """

    patch: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    attention: tuple[str, ...]
    low_res: bool = False
    residual: float = 1.0
    middle: int = 0
    places: bool = False
    text_layers: int = 0
    t5_width: int = 512
    text_width: int = 256
    embedding: int = 512

    def __post_init__(self) -> None:
        for name in ("widths", "blocks", "attention"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not len(self.widths) == len(self.blocks) == len(self.attention) > 0:
            raise ValueError("widths, blocks and attention must name the same levels.")
        if len(self.widths) > MAX_LEVELS:
            raise ValueError(f"there are {len(self.widths)} levels, at most {MAX_LEVELS} are allowed.")
        sizes = (self.patch, *self.widths, *self.blocks, self.t5_width, self.text_width, self.embedding)
        if not all(type(size) is int and size >= 1 for size in sizes):
            raise ValueError("patch, widths, blocks, t5_width, text_width and embedding must be whole numbers above 0.")
        if not all(type(count) is int and count >= 0 for count in (self.middle, self.text_layers)):
            raise ValueError("middle and text_layers must be whole numbers from 0.")
        if max(*self.blocks, self.middle, self.text_layers) > MAX_LAYERS:
            raise ValueError(f"blocks, middle and text_layers must be at most {MAX_LAYERS}.")
        if max(sizes) > MAX_WIDTH:
            raise ValueError(f"patch, widths, t5_width, text_width and embedding must be at most {MAX_WIDTH}.")
        if not 0 < self.residual <= 1:
            raise ValueError("residual must be above 0 and at most 1.")
        attended = (*self.widths, self.text_width) if self.text_layers else self.widths
        if self.text_width % TextPooling.HEADS or any(width % max(1, width // HEAD_WIDTH) for width in attended):
            raise ValueError("text_width or one of the widths cannot be shared out among the heads.")
        if unknown := set(self.attention) - set(ATTENTIONS):
            raise ValueError(f"attention must be one of {', '.join(ATTENTIONS)}, not {', '.join(sorted(unknown))}.")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint's header."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> UNetConfig:
        """Read back `to_dict`; unknown keys are refused.

        Raises:
            ValueError: a key is unknown or missing, or the values make no U-Net.
        """
        names = {field.name for field in fields(cls)}
        if unknown := set(values) - names:
            raise ValueError(f"the U-Net's configuration has unknown keys: {', '.join(sorted(unknown))}.")
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"the U-Net's configuration is incomplete: {error}.") from error
