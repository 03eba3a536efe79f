"""Tensors with values in [-1, 1] as pictures, and back."""

from __future__ import annotations

import io

import torch
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

    A larger picture is made smaller by a whole number, each pixel the mean of the block it stands for.
    """
    data = io.BytesIO()
    to_pil(_smaller(x_0, -(-max(x_0.shape[1:]) // max_size))[None])[0].save(data, format="JPEG", quality=quality)
    return data.getvalue()


def _smaller(x_0: Tensor, factor: int) -> Tensor:
    """(3, h, w) -> (3, h // factor, w // factor), the mean of each block; four times as fast as avg_pool2d."""
    if factor == 1:
        return x_0
    height, width = (side // factor * factor for side in x_0.shape[1:])
    parts = [x_0[:, i:height:factor, j:width:factor] for i in range(factor) for j in range(factor)]
    return sum(parts[1:], parts[0]) / factor**2


def _to_uint8(x_0: Tensor) -> Tensor:
    """(n, 3, h, w) in [-1, 1] -> (n, h, w, 3) in 0..255, on the CPU."""
    channels_last = x_0.detach().permute(0, 2, 3, 1).to("cpu", torch.float32)
    return channels_last.clamp(-1, 1).add_(1).mul_(127.5).round_().to(torch.uint8).contiguous()
