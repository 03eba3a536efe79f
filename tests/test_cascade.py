"""The cascade on a tiny real model: what it yields, and what its pictures depend on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from imagen_core.events import Preview, PromptEncoded
from imagen_core.imagen import Imagen
from imagen_core.recipe import SIZES
from tests.cascade_runs import FAST, fast, finished


def test_events_come_in_the_documented_order_and_shapes(tiny_imagen: Imagen) -> None:
    recipe = replace(fast(), num_images=2)
    events = list(tiny_imagen.stream(recipe))
    told = [(type(event).__name__, getattr(event, "stage", "")) for event in events]
    expected = [("PromptEncoded", "")]
    for stage in recipe.stages():
        steps = [("Preview", stage)] * recipe.stage(stage).num_steps
        expected += [("StageStarted", stage), *steps, ("StageFinished", stage)]
    assert told == expected
    for event in events:
        if isinstance(event, Preview):
            assert event.x_0.shape == event.x_t.shape == (2, 3, SIZES[event.stage], SIZES[event.stage])
            assert event.x_0.dtype == torch.float32
            assert len(event.stats.threshold) == len(event.stats.change) == 2
    for stage in recipe.stages():
        previews = [event for event in events if isinstance(event, Preview) and event.stage == stage]
        assert [event.step for event in previews] == list(range(1, len(previews) + 1))
        assert torch.equal(previews[-1].x_0, finished(events)[stage])


def test_last_stage_ends_the_cascade(tiny_imagen: Imagen) -> None:
    events = list(tiny_imagen.stream(replace(fast(), last_stage="sr256")))
    assert list(finished(events)) == ["base", "sr256"]


@pytest.mark.parametrize("scheduler", ["dpmsolver++", "ddpm"])
def test_image_i_alone_is_image_i_in_a_batch(make_imagen: Callable[[], Imagen], scheduler: str) -> None:
    stages = {name: {**values, "scheduler": scheduler} for name, values in FAST.items()}
    recipe = replace(fast(), num_images=3).updated(stages)
    together = finished(list(make_imagen().stream(recipe)))
    for image in range(3):
        alone = finished(list(make_imagen().stream(recipe.for_image(image))))
        for stage in recipe.stages():
            assert torch.equal(alone[stage][0], together[stage][image]), (stage, image)


def test_the_same_recipe_draws_the_same_pixels(make_imagen: Callable[[], Imagen]) -> None:
    first, second = (finished(list(make_imagen().stream(fast()))) for _ in range(2))
    assert all(torch.equal(first[stage], second[stage]) for stage in first)


@pytest.mark.parametrize("change", [{"prompt": "a dog"}, {"seed": 8}, {"negative_prompt": "blue"}])
def test_what_a_user_chose_reaches_the_picture(make_imagen: Callable[[], Imagen], change: dict[str, object]) -> None:
    recipe = replace(fast(), last_stage="base")
    first = make_imagen().generate(recipe)[0]
    second = make_imagen().generate(recipe.updated(change))[0]
    assert first.tobytes() != second.tobytes()


def test_a_later_stage_changes_alone_without_the_cache_too(make_imagen: Callable[[], Imagen]) -> None:
    """The noise of a stage depends on nothing that another stage does."""
    before = finished(list(make_imagen().stream(fast())))
    changed = fast().updated({"sr256": {"num_steps": 5, "scheduler": "ddpm", "seed": 99}})
    after = finished(list(make_imagen().stream(changed)))
    assert torch.equal(before["base"], after["base"])
    assert not torch.equal(before["sr256"], after["sr256"])


def test_a_stage_can_have_a_prompt_of_its_own(make_imagen: Callable[[], Imagen]) -> None:
    events = list(make_imagen().stream(fast().updated({"sr256": {"prompt": "a green pear"}})))
    assert [event.prompt for event in events if isinstance(event, PromptEncoded)] == ["a red apple", "a green pear"]
    plain = finished(list(make_imagen().stream(fast())))
    assert torch.equal(finished(events)["base"], plain["base"])
    assert not torch.equal(finished(events)["sr256"], plain["sr256"])


def test_what_was_handed_out_is_never_written_to(tiny_imagen: Imagen) -> None:
    held: list[tuple[Tensor, Tensor]] = []
    for event in tiny_imagen.stream(fast()):
        if isinstance(event, Preview):
            held += [(event.x_0, event.x_0.clone()), (event.x_t, event.x_t.clone())]
    assert held
    assert all(torch.equal(tensor, copy) for tensor, copy in held)
