"""The place to stop in a U-Net of diffusers: before every block, for the thread that asked for it and no other."""

from __future__ import annotations

import threading

import pytest
import torch
from diffusers import UNet2DModel

from imagen_core.events import Stopped
from imagen_core.models.between_blocks import BetweenBlocks

NUM_BLOCKS = 5  # two down, the middle, two up


def tiny_unet() -> UNet2DModel:
    kinds = {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2}
    return UNet2DModel(block_out_channels=(4, 4), layers_per_block=1, norm_num_groups=2, add_attention=False, **kinds)


def call(unet: UNet2DModel) -> None:
    unet(torch.zeros(1, 3, 8, 8), 500)


def test_every_block_is_announced_and_nothing_after_it() -> None:
    unet, told = tiny_unet(), list[int]()
    blocks = BetweenBlocks(unet)
    with blocks.calling(lambda: told.append(1)):
        call(unet)
    assert len(told) == NUM_BLOCKS
    call(unet)
    with blocks.calling(None):
        call(unet)
    assert len(told) == NUM_BLOCKS


def test_what_it_raises_ends_the_call_and_is_over_then() -> None:
    unet, told = tiny_unet(), list[int]()
    blocks = BetweenBlocks(unet)

    def second_stops() -> None:
        told.append(1)
        if len(told) == 2:
            raise Stopped

    with pytest.raises(Stopped), blocks.calling(second_stops):
        call(unet)
    call(unet)
    assert len(told) == 2


def test_a_thread_that_stops_does_not_stop_another_one() -> None:
    unet, told = tiny_unet(), list[int]()
    blocks = BetweenBlocks(unet)
    inside, other_is_done = threading.Event(), threading.Event()
    stopped = list[bool]()

    def wait_and_stop() -> None:
        inside.set()
        assert other_is_done.wait(30)
        raise Stopped

    def first() -> None:
        with blocks.calling(wait_and_stop):
            try:
                call(unet)
            except Stopped:
                stopped.append(True)

    worker = threading.Thread(target=first)
    worker.start()
    assert inside.wait(30)
    with blocks.calling(lambda: told.append(1)):
        call(unet)
    other_is_done.set()
    worker.join(30)
    assert (len(told), stopped) == (NUM_BLOCKS, [True])
