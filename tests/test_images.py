"""Images: tensors in [-1, 1] as pictures and back, against arithmetic in float64."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from imagen_core.images import to_bmps, to_jpeg, to_pil, to_tensor


def test_pixels_are_the_nearest_of_256_values() -> None:
    x_0 = torch.linspace(-1.2, 1.2, 2 * 3 * 64 * 32).reshape(2, 3, 64, 32)
    expected = np.rint((np.clip(x_0.numpy().astype(np.float64), -1, 1) + 1) * 127.5).transpose(0, 2, 3, 1)
    pictures = to_pil(x_0)
    assert [picture.size for picture in pictures] == [(32, 64), (32, 64)]
    for picture, pixels in zip(pictures, expected, strict=True):
        assert picture.mode == "RGB"
        assert np.abs(np.asarray(picture).astype(np.float64) - pixels).max() <= 1  # float32 may tip a half
        assert (np.asarray(picture) == pixels).mean() > 0.999
    assert to_pil(torch.full((1, 3, 1, 1), -1.0))[0].getpixel((0, 0)) == (0, 0, 0)
    assert to_pil(torch.full((1, 3, 1, 1), 1.0))[0].getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_pictures_do_not_depend_on_the_layout_and_leave_the_tensor_alone(memory_format: torch.memory_format) -> None:
    x_0 = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    laid_out = x_0.contiguous(memory_format=memory_format)
    before = laid_out.clone()
    assert [picture.tobytes() for picture in to_pil(laid_out)] == [picture.tobytes() for picture in to_pil(x_0)]
    assert to_jpeg(laid_out[0], max_size=4) == to_jpeg(x_0[0], max_size=4)
    assert torch.equal(laid_out, before)


@pytest.mark.parametrize("size", [(64, 64), (5, 3), (6, 2), (7, 1)])  # rows that end at a multiple of 4 bytes, or not
def test_a_bmp_has_the_pixels_of_the_picture_and_is_what_pillow_writes(size: tuple[int, int]) -> None:
    width, height = size
    pixels = 1.2 * torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    for data, picture in zip(to_bmps(pixels), to_pil(pixels), strict=True):
        assert Image.open(io.BytesIO(data)).convert("RGB").tobytes() == picture.tobytes()
        expected = io.BytesIO()
        picture.save(expected, "BMP")
        assert data == expected.getvalue()


def test_every_pixel_value_survives_the_way_there_and_back() -> None:
    picture = Image.fromarray(np.arange(256 * 3, dtype=np.uint16).astype(np.uint8).reshape(16, 16, 3))
    x_0 = to_tensor(picture)
    assert (x_0.shape, x_0.dtype) == ((1, 3, 16, 16), torch.float32)
    assert (x_0.min(), x_0.max()) == (-1, 1)
    assert to_pil(x_0)[0].tobytes() == picture.tobytes()


def test_transparent_parts_are_laid_on_white() -> None:
    picture = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    picture.putpixel((1, 0), (255, 0, 0, 255))
    assert to_tensor(picture)[0, :, 0].T.tolist() == [[1, 1, 1], [1, -1, -1]]
    assert to_tensor(Image.new("L", (1, 1), 255)).flatten().tolist() == [1, 1, 1]


def test_a_preview_is_a_jpeg_of_at_most_the_size_asked_for() -> None:
    for size, shown in ((64, 64), (256, 256), (512, 512), (1024, 512), (1500, 500)):
        jpeg = Image.open(io.BytesIO(to_jpeg(torch.zeros(3, size, size))))
        assert (jpeg.format, jpeg.size) == ("JPEG", (shown, shown))
    assert Image.open(io.BytesIO(to_jpeg(torch.zeros(3, 40, 64), max_size=32))).size == (32, 20)


def test_a_preview_made_smaller_has_the_mean_of_what_is_seen_of_each_block() -> None:
    blocks = torch.tensor([[-1.0, 1.0], [0.5, -0.5]]).repeat_interleave(16, 0).repeat_interleave(16, 1)
    checkered = blocks + 0.4 * (torch.arange(32) % 2 * 2 - 1)  # the mean of every 2 x 2 block stays, but for what
    jpeg = Image.open(io.BytesIO(to_jpeg(checkered.expand(3, 32, 32), max_size=16, quality=95)))  # is out of range
    centres = [np.asarray(jpeg)[y, x].mean() for y in (4, 12) for x in (4, 12)]
    assert np.allclose(centres, [25.5, 229.5, 191.25, 63.75], atol=4)
