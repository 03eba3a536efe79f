"""Recipes drawn together are those drawn alone, with fewer calls of a network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor

from imagen_core.cascade import Cascade
from imagen_core.denoiser import Denoiser
from imagen_core.events import Event, Preview, PromptEncoded, StageError, StageFinished, StageStarted
from imagen_core.imagen import Imagen
from imagen_core.recipe import Recipe, RecipeError

FEW = Recipe(prompt="an apple", seed=7).updated(
    {"base": {"num_steps": 4, "spacing": "trailing"}, "sr256": {"num_steps": 2}, "sr1024": {"num_steps": 1}}
)
# All that may tell recipes apart: length and weights of the text, what guidance takes for none, whether there is any,
# number of calls, timesteps, noise, thresholding, aug_level, and where the cascade ends.
UNLIKE: list[dict[str, object]] = [
    {},
    {"prompt": "three (blue:1.6) stars above a (green:0) turtle on a beach", "seed": 8},
    {"negative_prompt": "a very long list of things that nobody wants, (fog:0.5)", "base": {"guidance_scale": 9}},
    {"base": {"guidance_scale": 1}, "sr256": {"aug_level": 0.4, "thresholding": "static"}},
    {
        "base": {"num_steps": 7, "scheduler": "dpmsolver++", "thresholding": "dynamic", "percentile": 90},
        "sr256": {"num_steps": 3},
    },
    {"prompt": "", "last_stage": "base"},
    {"variation": 0.3, "variation_seed": 3, "last_stage": "sr256"},
]


def drawn_together(imagen: Imagen, recipes: list[Recipe]) -> list[list[Event]]:
    """The events of each recipe."""
    events: list[list[Event]] = [[] for _ in recipes]
    for place, event in imagen.stream_together(recipes):
        events[place].append(event)
    return events


def images(events: list[Event] | Iterator[Event]) -> dict[str, Tensor]:
    """What each stage ended with."""
    return {event.stage: event.x_0 for event in events if isinstance(event, StageFinished)}


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each call of a network was given."""
    counts: list[int] = []
    whole = Cascade.denoiser

    def counting(cascade: Cascade, *asked: Any) -> Denoiser:
        denoiser = whole(cascade, *asked)

        def unet(x_t: Tensor, *others: Any) -> Tensor:
            counts.append(len(x_t))
            return denoiser.unet(x_t, *others)

        return replace(denoiser, unet=unet)

    monkeypatch.setattr(Cascade, "denoiser", counting)
    return counts


def test_whatever_tells_them_apart_each_is_what_it_is_alone(
    tiny_imagen: Imagen, make_imagen: Callable[[], Imagen]
) -> None:
    recipes = [FEW.updated(changes) for changes in UNLIKE]
    for recipe, events in zip(recipes, drawn_together(tiny_imagen, recipes), strict=True):
        alone = list(make_imagen().stream(recipe))
        assert [type(event) for event in events] == [type(event) for event in alone]
        steps = [(e.stage, e.step, e.num_steps) for e in events if isinstance(e, Preview)]
        assert steps == [(e.stage, e.step, e.num_steps) for e in alone if isinstance(e, Preview)]
        assert images(events).keys() == set(recipe.stages())
        for name, x_0 in images(alone).items():  # in float32 only the order of sums differs
            torch.testing.assert_close(images(events)[name], x_0, atol=2e-4, rtol=0)


def test_a_network_is_called_once_a_step(tiny_imagen: Imagen, called: list[int]) -> None:
    """Guided images count twice; who has more steps goes on alone."""
    changes: list[dict[str, object]] = [
        {},
        {"prompt": "a car"},
        {"base": {"guidance_scale": 1}},
        {"base": {"num_steps": 6, "guidance_end": 1}},
    ]
    guided = FEW.updated({"base": {"guidance_end": 1}, "last_stage": "base"})
    drawn_together(tiny_imagen, [guided.updated(change) for change in changes])
    assert called == [7, 7, 7, 7, 2, 2]


def test_a_stage_that_they_share_is_drawn_once_and_told_to_each(tiny_imagen: Imagen, called: list[int]) -> None:
    recipes = [FEW.updated({"last_stage": "sr256", "sr256": {"aug_level": level}}) for level in (0, 0.2, 0.4)]
    first, *others = drawn_together(tiny_imagen, recipes)
    base_calls = 4
    assert len(called) == base_calls + 2
    for events in others:
        assert torch.equal(images(events)["base"], images(first)["base"])
        assert not torch.equal(images(events)["sr256"], images(first)["sr256"])
        assert [type(event) for event in events] == [type(event) for event in first]


def test_what_was_drawn_is_kept_and_what_is_kept_is_not_drawn(tiny_imagen: Imagen, called: list[int]) -> None:
    first, second = FEW, FEW.updated({"sr256": {"aug_level": 0.3}})
    list(tiny_imagen.stream(first))
    called.clear()
    _, events = drawn_together(tiny_imagen, [first, second])
    assert len(called) == 2 + 1  # of the second's sr256 and sr1024
    assert [event.stage for event in events if isinstance(event, StageStarted)] == ["sr256", "sr1024"]
    called.clear()
    assert all(event.cached for event in tiny_imagen.stream(second) if isinstance(event, StageFinished))
    assert not called


def test_forks_are_drawn_together(tiny_imagen: Imagen, make_imagen: Callable[[], Imagen]) -> None:
    recipes = [FEW.forked("base", 2, {"prompt": prompt}) for prompt in ("a car", "a green turtle")]
    for recipe, events in zip(recipes, drawn_together(tiny_imagen, recipes), strict=True):
        alone = images(make_imagen().stream(recipe))
        torch.testing.assert_close(images(events)["sr1024"], alone["sr1024"], atol=2e-4, rtol=0)


def waiting_threads() -> int:
    return sum(thread.name == "paused stage" for thread in threading.enumerate())


def test_stopping_ends_all_within_a_block(tiny_imagen: Imagen) -> None:
    recipes = [FEW.updated({"seed": seed, "base": {"num_steps": 250}}) for seed in range(3)]
    run = tiny_imagen.stream_together(recipes)
    stage = tiny_imagen.cascade.stages["base"]
    blocks = 0

    def stop(*_: object) -> None:
        nonlocal blocks
        blocks += 1
        run.close()

    seen = 0
    for _, event in run:
        if isinstance(event, Preview):
            seen += 1
            if seen == 3:
                assert waiting_threads() == 3
                next(stage.unet.children()).register_forward_hook(stop)
    assert seen == 3
    assert blocks == 1
    assert waiting_threads() == 0


def test_who_stops_reading_leaves_no_thread(tiny_imagen: Imagen) -> None:
    run = tiny_imagen.stream_together([FEW, FEW.updated({"seed": 8})])
    while not isinstance(next(run)[1], Preview):
        pass
    run.close()
    assert list(run) == []
    assert waiting_threads() == 0


def test_what_goes_wrong_in_one_names_the_stage_and_ends_all(tiny_imagen: Imagen) -> None:
    for parameter in tiny_imagen.cascade.stages["sr256"].unet.parameters():
        parameter.fill_(float("nan"))
    run = tiny_imagen.stream_together([FEW, FEW.updated({"seed": 8})])
    finished = [event.stage for _, event in islice(run, 14) if isinstance(event, StageFinished)]
    assert finished == ["base", "base"]
    with pytest.raises(StageError, match=r"^sr256: step 1 of 2: the prediction at timestep \d+ is not finite"):
        list(run)
    assert waiting_threads() == 0


def test_one_that_fails_ends_the_good_ones(tiny_imagen: Imagen, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Cascade.denoiser

    def breaking(cascade: Cascade, *asked: Any) -> Denoiser:
        denoiser = whole(cascade, *asked)

        def unet(x_t: Tensor, *others: Any) -> Tensor:
            output = denoiser.unet(x_t, *others)
            output[-1] = torch.nan  # of the second alone
            return output

        return replace(denoiser, unet=unet)

    monkeypatch.setattr(Cascade, "denoiser", breaking)
    with pytest.raises(StageError, match=r"^base: step 1 of 4: the prediction at timestep \d+ is not finite"):
        drawn_together(tiny_imagen, [FEW, FEW.updated({"seed": 8})])
    assert waiting_threads() == 0


def test_memory_that_runs_out_is_told(tiny_imagen: Imagen, monkeypatch: pytest.MonkeyPatch) -> None:
    def unet(*_: object) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    whole = Cascade.denoiser
    monkeypatch.setattr(Cascade, "denoiser", lambda *asked: replace(whole(*asked), unet=unet))
    with pytest.raises(StageError, match=r"^base: there is not enough memory; draw fewer pictures together\.$"):
        drawn_together(tiny_imagen, [FEW, FEW.updated({"seed": 8})])
    assert waiting_threads() == 0


def test_prompts_are_told_to_whom_they_belong(tiny_imagen: Imagen) -> None:
    recipes = [FEW.updated({"prompt": prompt, "last_stage": "base"}) for prompt in ("a car", "a cat", "a car")]
    told = [
        [e.prompt for e in events if isinstance(e, PromptEncoded)] for events in drawn_together(tiny_imagen, recipes)
    ]
    assert told == [["a car"], ["a cat"], ["a car"]]


def test_recipes_that_the_model_cannot_draw_are_refused(tiny_imagen: Imagen) -> None:
    with pytest.raises(RecipeError, match="model must be bundled"):
        tiny_imagen.stream_together([FEW, FEW.updated({"model": "other"})])
    alone = Imagen(Cascade({"base": tiny_imagen.cascade.stages["base"]}, torch.device("cpu")), Recipe())
    with pytest.raises(RecipeError, match="last_stage must be base"):
        alone.stream_together([FEW])
    assert images([event for _, event in alone.stream_together([FEW.updated({"last_stage": "base"})])]).keys() == {
        "base"
    }
