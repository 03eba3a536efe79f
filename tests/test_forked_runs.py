"""Forks as runs: what they draw, against loops written by hand, and what they do not draw again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from imagen_core.cascade import Cascade
from imagen_core.denoiser import Conditioning, Denoiser
from imagen_core.events import Event, Preview, StageFinished, StageStarted
from imagen_core.imagen import Imagen
from imagen_core.noise import StageNoise
from imagen_core.recipe import STAGES, Recipe, RecipeError
from imagen_core.schedulers import build_scheduler
from imagen_core.stage_recipe import SCHEDULERS
from imagen_core.thresholding import Thresholding
from tests.cascade_runs import finished

FAST = {
    "base": {"num_steps": 5, "guidance_scale": 3, "guidance_end": 1},
    "sr256": {"num_steps": 3},
    "sr1024": {"num_steps": 2},
}
PARENT = Recipe(prompt="a red apple", seed=7, last_stage="base").updated(FAST)


def drawn(events: list[Event]) -> list[tuple[str, int]]:
    return [(event.stage, event.step) for event in events if isinstance(event, Preview)]


def base_of(imagen: Imagen, recipe: Recipe) -> Tensor:
    return finished(list(imagen.stream(recipe)))["base"]


def count_calls(cascade: Cascade, stage: str) -> list[int]:
    calls: list[int] = []
    cascade.stages[stage].unet.register_forward_pre_hook(lambda *_: calls.append(1))
    return calls


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("step", [0, 1, 3])
def test_a_fork_without_a_change_draws_the_parents_pixels(
    make_imagen: Callable[[], Imagen], scheduler: str, step: int
) -> None:
    parent = PARENT.updated({"base": {"scheduler": scheduler}, "num_images": 2})
    fork = parent.forked("base", step, {})
    warm = make_imagen()
    events = list(warm.stream(parent))
    again = list(warm.stream(fork))
    assert not torch.equal(finished(events)["base"][0], finished(events)["base"][1])
    assert torch.equal(finished(again)["base"], finished(events)["base"])
    assert torch.equal(base_of(make_imagen(), fork), finished(events)["base"])
    # Every step behind the place is the parent's, with its instruments.
    steps = {event.step: event for event in events if isinstance(event, Preview)}
    for event in again:
        if isinstance(event, Preview):
            assert torch.equal(event.x_t, steps[event.step].x_t)
            assert event.stats == steps[event.step].stats


def test_the_part_before_is_not_drawn_again(tiny_imagen: Imagen) -> None:
    list(tiny_imagen.stream(PARENT))
    calls = count_calls(tiny_imagen.cascade, "base")
    events = list(tiny_imagen.stream(PARENT.forked("base", 3, {"prompt": "a green pear"})))
    assert len(calls) == 2
    assert drawn(events) == [("base", 4), ("base", 5)]
    started = [event for event in events if isinstance(event, StageStarted)]
    assert [(event.num_steps, event.kept_steps) for event in started] == [(5, 3)]


def test_without_the_kept_steps_the_parent_is_drawn_again_up_to_there(make_imagen: Callable[[], Imagen]) -> None:
    fork = PARENT.forked("base", 3, {"prompt": "a green pear"})
    warm = make_imagen()
    list(warm.stream(PARENT))
    cold = make_imagen()
    calls = count_calls(cold.cascade, "base")
    events = list(cold.stream(fork))
    assert drawn(events) == [("base", step) for step in range(1, 6)]
    assert len(calls) == 5
    assert torch.equal(finished(events)["base"], base_of(warm, fork))
    cold.cascade.forget()
    assert drawn(list(cold.stream(fork)))[0] == ("base", 1)


def test_a_run_that_was_stopped_leaves_what_it_had(tiny_imagen: Imagen) -> None:
    run = tiny_imagen.stream(PARENT)
    for event in run:
        if isinstance(event, Preview) and event.step == 2:
            run.close()
    assert drawn(list(tiny_imagen.stream(PARENT.forked("base", 4, {"seed": 1}))))[0] == ("base", 3)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_changed_guidance_is_a_loop_that_changes_it(tiny_imagen: Imagen, scheduler: str) -> None:
    parent = PARENT.updated({"base": {"scheduler": scheduler, "thresholding": "static"}})
    fork = parent.forked("base", 2, {"base": {"guidance_scale": 8}})
    stage = tiny_imagen.cascade.stages["base"]
    denoiser = Denoiser(stage.unet, stage.noise_schedule, stage.prediction)
    text = stage.text_encoder.encode(parent.prompt)
    noise = StageNoise(parent.seed, "base", 1, 64)
    solver = build_scheduler(scheduler, parent.base.spacing, 5, stage.noise_schedule)
    with torch.inference_mode():
        sample = solver.x_T(noise.initial())
        for step, t in enumerate(solver.timesteps):
            guidance = 3.0 if step < 2 else 8.0
            x_t = solver.to_x_t(sample, step)
            x_0 = denoiser(x_t, t, Conditioning(text.states, text.mask), guidance, Thresholding("static", 99.5)).x_0
            sample = solver.step(step, x_0, sample, noise.generators(step))
    assert torch.equal(base_of(tiny_imagen, fork), x_0)
    assert not torch.equal(base_of(tiny_imagen, parent), x_0)


def test_a_seed_changes_what_is_still_to_be_drawn_only(tiny_imagen: Imagen) -> None:
    """A scheduler without noise of its own has none left to change behind its first step."""
    fork = {"seed": 99, "last_stage": "sr256"}
    parent = PARENT.updated({"base": {"scheduler": "dpmsolver++"}})
    events = list(tiny_imagen.stream(parent.forked("base", 2, fork)))
    assert torch.equal(finished(events)["base"], base_of(tiny_imagen, parent))
    same = finished(list(tiny_imagen.stream(replace(parent, last_stage="sr256"))))
    assert not torch.equal(finished(events)["sr256"], same["sr256"])
    noisy = PARENT.updated({"base": {"scheduler": "ddpm"}})
    assert not torch.equal(base_of(tiny_imagen, noisy.forked("base", 2, fork)), base_of(tiny_imagen, noisy))


def test_forks_of_forks(make_imagen: Callable[[], Imagen]) -> None:
    child = PARENT.forked("base", 2, {"prompt": "a green pear"})
    grandchild = child.forked("base", 4, {"base": {"guidance_scale": 9}})
    warm = make_imagen()
    for recipe in (PARENT, child):
        list(warm.stream(recipe))
    calls = count_calls(warm.cascade, "base")
    picture = base_of(warm, grandchild)
    assert len(calls) == 1
    assert torch.equal(picture, base_of(make_imagen(), grandchild))
    assert not torch.equal(picture, base_of(warm, child))
    assert torch.equal(base_of(make_imagen(), child.forked("base", 4, {})), base_of(warm, child))


def test_a_fork_of_a_later_stage_leaves_the_earlier_ones(make_imagen: Callable[[], Imagen]) -> None:
    parent = replace(PARENT, last_stage="sr256")
    fork = parent.forked("sr256", 1, {"prompt": "a green pear", "sr256": {"aug_level": 0.3}})
    warm = make_imagen()
    before = finished(list(warm.stream(parent)))
    events = list(warm.stream(fork))
    assert drawn(events) == [("sr256", 2), ("sr256", 3)]
    assert [event.cached for event in events if isinstance(event, StageFinished)] == [True, False]
    assert not torch.equal(finished(events)["sr256"], before["sr256"])
    cold = list(make_imagen().stream(fork))
    assert drawn(cold) == [("base", step) for step in range(1, 6)] + [("sr256", step) for step in (1, 2, 3)]
    assert all(torch.equal(finished(cold)[name], finished(events)[name]) for name in ("base", "sr256"))


def test_place_0_of_a_later_stage_is_a_prompt_of_its_own(make_imagen: Callable[[], Imagen]) -> None:
    parent = replace(PARENT, last_stage="sr256")
    fork = parent.forked("sr256", 0, {"sr256": {"prompt": "a green pear"}})
    plain = parent.updated({"sr256": {"prompt": "a green pear"}})
    ours, theirs = (finished(list(make_imagen().stream(recipe))) for recipe in (fork, plain))
    assert torch.equal(ours["sr256"], theirs["sr256"])


def test_image_i_of_a_fork_alone_is_image_i_in_a_batch(make_imagen: Callable[[], Imagen]) -> None:
    fork = replace(PARENT, num_images=3).forked("base", 2, {"prompt": "a pear", "base": {"scheduler": "ddpm"}})
    together = base_of(make_imagen(), fork)
    for image in range(3):
        assert torch.equal(base_of(make_imagen(), fork.for_image(image))[0], together[image])


def test_all_three_stages_of_a_fork_are_drawn(tiny_imagen: Imagen) -> None:
    fork = replace(PARENT, last_stage="sr1024").forked("base", 2, {"prompt": "a pear", "base": {"num_steps": 8}})
    events = list(tiny_imagen.stream(fork))
    assert list(finished(events)) == list(STAGES)
    assert Recipe.from_link(fork.to_link()) == fork


def test_a_place_that_the_spacing_does_not_have_is_refused_before_anything_is_drawn(tiny_imagen: Imagen) -> None:
    parent = PARENT.updated({"base": {"num_steps": 250}})
    fork = parent.forked("base", 249, {})
    sentence = r"^fork\.step must be below \d+, the steps of base, for the parent's spacing has no more different "
    with pytest.raises(RecipeError, match=sentence):
        tiny_imagen.stream(fork)
