"""The number format of the U-Nets: float32 unless the hardware has units for bfloat16 and they pay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from imagen_core.imagen import Imagen
from imagen_core.models import precision
from imagen_core.models.conditioning import UNetConditioning
from imagen_core.models.unet import UNet
from imagen_core.shards import CheckpointError
from tests.conftest import tiny_unet
from tests.test_checkpoints import folder, whole_folder

__all__ = ("folder", "whole_folder")  # fixtures

CPU = torch.device("cpu")


def test_a_processor_without_matrix_units_keeps_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_matrix_units", lambda: False)
    assert precision.working_format(tiny_unet("base"), 64, CPU) is torch.float32


@pytest.mark.parametrize(("times_as_fast", "expected"), [(1.2, torch.float32), (2.5, torch.bfloat16)])
def test_bfloat16_must_pay(monkeypatch: pytest.MonkeyPatch, times_as_fast: float, expected: torch.dtype) -> None:
    """With the units, what was measured decides; the network that was measured is not touched."""

    def seconds(unets: Sequence[UNet], size: int, images: int) -> list[float]:
        formats = [next(unet.parameters()).dtype for unet in unets]
        assert set(formats) == {torch.float32, torch.bfloat16}
        return [1.0 if dtype is torch.float32 else 1.0 / times_as_fast for dtype in formats]

    monkeypatch.setattr(precision, "has_matrix_units", lambda: True)
    monkeypatch.setattr(precision, "seconds_per_call", seconds)
    unet = tiny_unet("base")
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    assert precision.working_format(unet, 64, CPU) is expected
    assert all(torch.equal(value, before[name]) for name, value in unet.state_dict().items())


def test_the_measurement_is_of_real_calls() -> None:
    seen: list[torch.dtype] = []
    unets = [tiny_unet("base"), tiny_unet("base").bfloat16()]
    for unet in unets:
        unet.register_forward_pre_hook(lambda unet, _: seen.append(next(unet.parameters()).dtype))
    assert all(seconds > 0 for seconds in precision.seconds_per_call(unets, 64))
    assert seen == [torch.float32, torch.bfloat16] * (len(seen) // 2)  # in turn


def test_drafts_of_a_base_in_bfloat16_stay_in_it() -> None:
    """Measured against itself it would never be so much quicker, and a wall would be drawn in float32."""
    assert precision.draft_format(tiny_unet("base").bfloat16(), 64) is torch.bfloat16


@pytest.mark.parametrize("name", ["base", "sr256"])
def test_bfloat16_is_close_and_gives_the_format_it_was_given(name: str) -> None:
    torch.manual_seed(1)
    unet = tiny_unet(name)
    x_t, text = torch.randn(2, 3, 64, 64), torch.randn(2, 5, 32)
    extra = (torch.randn(2, 3, 64, 64), torch.tensor([0.1, 0.5])) if name == "sr256" else ()
    arguments = (x_t, torch.tensor([10.0, 900.0]), UNetConditioning(text, torch.ones(2, 5, dtype=torch.bool), *extra))
    exact = unet(*arguments)
    rounded = unet.bfloat16()(*arguments)
    assert rounded.dtype is torch.float32
    assert (rounded - exact).std() < 0.02 * exact.std()
    assert not torch.equal(rounded, exact)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_number_format_can_be_chosen_and_decides_pixels(
    folder: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    other = torch.bfloat16 if dtype is torch.float32 else torch.float32
    monkeypatch.setattr("imagen_core.checkpoints.working_format", lambda base, size, device: other)
    imagens = [Imagen.from_pretrained(folder, "cpu", dtype=chosen) for chosen in (dtype, None)]
    formats = [{stage.unet.head.weight.dtype for stage in imagen.cascade.stages.values()} for imagen in imagens]
    assert formats == [{dtype}, {other}]
    small = {"last_stage": "base", "base": {"num_steps": 2}}
    chosen, default = (imagen.generate(imagen.recipe("a red apple").updated(small))[0] for imagen in imagens)
    assert chosen != default


@pytest.mark.parametrize("dtype", [torch.float16, torch.int8])
def test_a_number_format_that_is_none(folder: Path, dtype: torch.dtype) -> None:
    with pytest.raises(CheckpointError) as raised:
        Imagen.from_pretrained(folder, "cpu", dtype=dtype)
    assert str(raised.value) == f"dtype must be torch.float32 or torch.bfloat16, not {dtype}."
