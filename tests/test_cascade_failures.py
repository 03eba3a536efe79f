"""Stages that cannot go on: what is told, and what is kept of the stages before."""

from __future__ import annotations

import pytest
import torch

from imagen_core.events import Event, StageError
from imagen_core.imagen import Imagen
from imagen_core.images import to_pil
from imagen_core.stage import is_out_of_memory
from tests.cascade_runs import drawn_again, fast, finished


def test_nan_in_a_stage_names_it_and_keeps_the_pictures_before(tiny_imagen: Imagen) -> None:
    with torch.no_grad():
        next(tiny_imagen.cascade.stages["sr256"].unet.parameters()).fill_(torch.nan)
    events: list[Event] = []
    with pytest.raises(StageError) as raised:  # noqa: PT012
        for event in tiny_imagen.stream(fast()):
            events.append(event)
    assert raised.value.stage == "sr256"
    message = "sr256: step 1 of 3: the prediction at timestep 999 is not finite. The stages before it are good; "
    assert str(raised.value) == message + "another seed or guidance may help."
    picture = to_pil(finished(events)["base"])[0]
    assert picture.size == (64, 64)
    # The stage before is kept: a second try runs the failing stage only.
    again = tiny_imagen.stream(fast())
    told = []
    with pytest.raises(StageError):
        told.extend(again)
    assert "base" not in drawn_again(told)


def test_nan_in_the_first_stage_speaks_of_no_stage_before(tiny_imagen: Imagen) -> None:
    with torch.no_grad():
        next(tiny_imagen.cascade.stages["base"].unet.parameters()).fill_(torch.nan)
    with pytest.raises(StageError) as raised:
        list(tiny_imagen.stream(fast()))
    message = "base: step 1 of 4: the prediction at timestep 999 is not finite. Another seed or guidance may help."
    assert str(raised.value) == message


def test_memory_that_runs_out_is_told_in_a_sentence(tiny_imagen: Imagen) -> None:
    """A real allocation that fails; torch reports it on a processor as a plain RuntimeError."""
    tiny_imagen.cascade.stages["sr256"].unet.stem.register_forward_pre_hook(lambda *_: torch.empty(2**52))
    with pytest.raises(StageError) as raised:
        list(tiny_imagen.stream(fast()))
    expected = "sr256: there is not enough memory; ask for fewer images or an earlier last stage."
    assert str(raised.value) == expected


def test_memory_that_runs_out_in_the_text_encoder_is_told_in_a_sentence(tiny_imagen: Imagen) -> None:
    tiny_imagen.cascade.text_encoder.model.register_forward_pre_hook(lambda *_: torch.empty(2**52))
    with pytest.raises(StageError, match=r"^base: there is not enough memory; ask for a smaller model"):
        list(tiny_imagen.stream(fast("never read before")))


@pytest.mark.parametrize("text", ["can't allocate memory", "not enough memory"])  # on Windows the second
def test_memory_is_out_in_the_words_of_every_system(text: str) -> None:
    assert is_out_of_memory(RuntimeError(f"[enforce fail] DefaultCPUAllocator: {text}: you tried to allocate 8 bytes."))
    assert not is_out_of_memory(RuntimeError("a bug"))


def test_another_runtime_error_is_not_hidden(tiny_imagen: Imagen) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    tiny_imagen.cascade.stages["base"].unet.stem.register_forward_pre_hook(broken)
    with pytest.raises(RuntimeError, match="a bug"):
        list(tiny_imagen.stream(fast()))
