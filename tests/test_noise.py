"""Noise: the same numbers wherever, whenever and in whatever company they are drawn."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest
import torch

from imagen_core.noise import Purpose, StageNoise, gaussian_noise, generator

PROGRAM = """
import hashlib, sys, torch
import imagen_core.sampler
from imagen_core.noise import generator
draws = [torch.randint(2**31, (64,), generator=generator(7, i, "sr256", "step", 3)) for i in (2, 0, 1)]
print(hashlib.sha256(b"".join(d.numpy().astype("<i8").tobytes() for d in draws)).hexdigest())
print("diffusers" in sys.modules)
"""


def test_image_does_not_depend_on_its_company() -> None:
    together = StageNoise(7, "base", 4, 16)
    for image in range(4):
        alone = StageNoise(7 + image, "base", 1, 16)
        assert torch.equal(alone.initial()[0], together.initial()[image])
        assert torch.equal(alone.augmentation(8)[0], together.augmentation(8)[image])
        drawn = torch.randn(16, generator=together.generators(5)[image])
        assert torch.equal(torch.randn(16, generator=alone.generators(5)[0]), drawn)


def test_seeds_wrap_around() -> None:
    assert torch.equal(StageNoise(2**32 - 1, "base", 2, 8).initial()[1], StageNoise(0, "base", 1, 8).initial()[0])


def test_order_of_drawing_does_not_matter() -> None:
    purposes: list[Purpose] = ["augmentation", "initial"]
    first = {purpose: gaussian_noise(1, 0, "base", purpose, (3, 8, 8)) for purpose in purposes}
    torch.randn(5)
    second = {purpose: gaussian_noise(1, 0, "base", purpose, (3, 8, 8)) for purpose in reversed(purposes)}
    assert all(torch.equal(first[purpose], second[purpose]) for purpose in purposes)


def test_every_part_of_the_key_counts() -> None:
    generators = [
        generator(seed, image, stage, purpose, step)
        for seed, image in ((0, 0), (0, 1), (9, 0))
        for stage in ("base", "sr256", "sr1024")
        for purpose, step in (("initial", 0), ("augmentation", 0), ("step", 0), ("step", 1))
    ]
    numbers = {torch.randn((), generator=each).item() for each in generators}
    assert len(numbers) == len(generators)


def test_noise_is_standard_normal_float32_and_independent() -> None:
    noise = StageNoise(0, "base", 2, 64).initial()
    assert noise.dtype == torch.float32
    assert noise.shape == (2, 3, 64, 64)
    assert noise.mean().abs() < 0.02
    assert noise.std() == pytest.approx(1, abs=0.02)
    assert torch.corrcoef(noise.flatten(1))[0, 1].abs() < 0.03


def test_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    StageNoise(0, "base", 2, 8).initial()
    assert torch.equal(torch.get_rng_state(), state)


def test_noise_survives_a_restart() -> None:
    """Integer draws are the same on all machines; normal ones may differ in their last bits between processors."""
    expected = "cd520488a8316b507e868e6aea22b0e0bb369f2656c5035c7fbbe23d9bd34c3d"
    draws = [torch.randint(2**31, (64,), generator=generator(7, image, "sr256", "step", 3)) for image in (2, 0, 1)]
    assert hashlib.sha256(b"".join(d.numpy().astype("<i8").tobytes() for d in draws)).hexdigest() == expected
    other = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert other.stdout.split() == [expected, "False"]  # and training, which needs no scheduler, imports no diffusers
    assert gaussian_noise(7, 0, "base", "initial", (16,))[:4].tolist() == pytest.approx(
        [0.611764, 0.361464, -0.204365, -0.282815], abs=1e-5
    )
