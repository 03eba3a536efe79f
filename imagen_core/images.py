"""Tensors with values in [-1, 1] as pictures, and back."""

from __future__ import annotations

import io
from functools import lru_cache

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor


def to_pil(x_0: Tensor) -> list[Image.Image]:
    """The n pictures of `x_0`, shape (n, 3, height, width): values clamped to [-1, 1], then to the nearest of 256."""
    return [Image.fromarray(pixels.numpy()) for pixels in _to_uint8(x_0)]


def to_tensor(image: Image.Image) -> Tensor:
    """`image` as float32, shape (1, 3, height, width), in [-1, 1]; transparent parts are laid on white.

    It is the exact inverse of `to_pil` for RGB pictures.
    """
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    pixels = torch.frombuffer(bytearray(image.convert("RGB").tobytes()), dtype=torch.uint8)
    x_0 = pixels.view(1, image.height, image.width, 3).permute(0, 3, 1, 2)  # (1, 3, h, w)
    return x_0.to(torch.float32).div_(127.5).sub_(1).contiguous()


def to_jpeg(x_0: Tensor, max_size: int = 512, quality: int = 85) -> bytes:
    """A preview: `x_0`, shape (3, height, width), as JPEG of at most `max_size` pixels a side.

    A larger picture is made smaller by a whole number, each pixel the mean of the block it stands for, as it is seen:
    of values in [-1, 1].
    """
    data = io.BytesIO()
    to_pil(_smaller(x_0, -(-max(x_0.shape[1:]) // max_size))[None])[0].save(data, format="JPEG", quality=quality)
    return data.getvalue()


def to_bmps(x_0: Tensor) -> list[bytes]:
    """The n pictures of `x_0`, shape (n, 3, height, width), as BMPs: the exact pixels of `to_pil`.

    A sampler that shows each of its steps waits for this, so Pillow writes a header once a size, and the pixels are
    put behind it here: rows from the bottom, blue first, each row filled up to a multiple of 4 bytes.
    """
    pixels = _to_uint8(x_0).flip(1, 3)  # (n, h, w, 3)
    rows = pixels.flatten(2)  # (n, h, 3 w)
    rows = F.pad(rows, (0, -rows.shape[2] % 4))
    header = _bmp_header(x_0.shape[3], x_0.shape[2])
    return [header + picture.numpy().tobytes() for picture in rows]


@lru_cache
def _bmp_header(width: int, height: int) -> bytes:
    """What stands before the pixels of an RGB picture: a BMP says itself, in bytes 10 to 13, where they begin."""
    data = io.BytesIO()
    Image.new("RGB", (width, height)).save(data, format="BMP")
    return data.getvalue()[: int.from_bytes(data.getvalue()[10:14], "little")]


def _smaller(x_0: Tensor, factor: int) -> Tensor:
    """(3, h, w) -> (3, h // factor, w // factor), the mean of each block; three times as fast as avg_pool2d."""
    if factor == 1:
        return x_0
    height, width = (side // factor * factor for side in x_0.shape[1:])
    seen = x_0.clamp(-1, 1)
    rows = _sum([seen[:, i:height:factor] for i in range(factor)])  # first, because a row's pixels lie side by side
    return _sum([rows[:, :, j:width:factor] for j in range(factor)]) / factor**2


def _sum(parts: list[Tensor]) -> Tensor:
    return sum(parts[1:], parts[0])


def _to_uint8(x_0: Tensor) -> Tensor:
    """(n, 3, h, w) in [-1, 1] -> (n, h, w, 3) in 0..255, on the CPU."""
    channels_last = x_0.detach().permute(0, 2, 3, 1).to("cpu", torch.float32)
    return channels_last.clamp(-1, 1).add_(1).mul_(127.5).round_().to(torch.uint8).contiguous()
