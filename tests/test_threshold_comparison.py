"""The three kinds of thresholding of one step, against the run itself and against the formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from imagen_core.cascade import Cascade
from imagen_core.events import Preview, StageError, Stopped
from imagen_core.imagen import Imagen
from imagen_core.recipe import STAGES, Recipe, RecipeError
from imagen_core.threshold_comparison import ThresholdComparison, compare_thresholding

# Guidance strong enough to drive x_0 out of range, and in each stage another kind of thresholding.
RECIPE = Recipe(prompt="a red apple", seed=7, num_images=2).updated(
    {
        "base": {"num_steps": 4, "guidance_scale": 9.0, "thresholding": "dynamic", "percentile": 90.0},
        "sr256": {"num_steps": 3, "guidance_scale": 5.0, "thresholding": "static", "percentile": 95.0},
        "sr1024": {"num_steps": 2, "guidance_scale": 3.0, "thresholding": "none"},
    }
)


def go_on() -> None:
    """Never stop."""


def compared(imagen: Imagen, recipe: Recipe, stage: str, image: int = 0) -> list[ThresholdComparison]:
    return list(compare_thresholding(imagen.cascade, recipe, stage, image, go_on))


def previews(imagen: Imagen, recipe: Recipe, stage: str) -> list[Preview]:
    return [event for event in imagen.stream(recipe) if isinstance(event, Preview) and event.stage == stage]


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("stage", STAGES)
def test_the_kind_that_was_used_is_the_run_s_own_step_to_the_last_bit(
    tiny_imagen: Imagen, stage: str, kept: bool
) -> None:
    run = previews(tiny_imagen, RECIPE, stage)
    if not kept:
        tiny_imagen.cascade.forget()
    for image in range(2):
        steps = compared(tiny_imagen, RECIPE, stage, image)
        assert [(step.step, step.num_steps, step.used) for step in steps] == [
            (event.step, event.num_steps, RECIPE.stage(stage).thresholding) for event in run
        ]
        for step, event in zip(steps, run, strict=True):
            used = step.kinds[step.used]
            assert torch.equal(used.x_0, event.x_0[image : image + 1])
            assert (used.s, used.clipped_share) == (
                (event.stats.threshold[image],),
                (event.stats.clipped_share[image],),
            )


def test_a_picture_that_must_not_be_shown_is_not_shown_here_either(tiny_imagen: Imagen) -> None:
    stages = dict(tiny_imagen.cascade.stages)
    stages["sr256"] = replace(stages["sr256"], refused=lambda pictures: (True,) * len(pictures))
    seen: list[ThresholdComparison] = []
    with pytest.raises(StageError, match=r"^sr256: the model's safety checker refuses the picture"):
        seen.extend(compare_thresholding(Cascade(stages, tiny_imagen.cascade.device), RECIPE, "sr256", 0, go_on))
    with pytest.raises(StageError, match=r"^sr256: the model's safety checker refuses the picture"):
        next(iter(compare_thresholding(Cascade(stages, tiny_imagen.cascade.device), RECIPE, "sr1024", 0, go_on)))
    assert [step.step for step in seen] == [1, 2]  # of three


def test_a_mark_is_on_the_finished_picture_and_on_no_other(tiny_imagen: Imagen) -> None:
    plain = compared(tiny_imagen, RECIPE, "sr256")
    tiny_imagen.cascade.forget()
    stages = dict(tiny_imagen.cascade.stages)
    stages["sr256"] = replace(stages["sr256"], marked=lambda images: images.clamp(-1, 1) * 0.5)
    marked = list(compare_thresholding(Cascade(stages, tiny_imagen.cascade.device), RECIPE, "sr256", 0, go_on))
    for before, after in zip(plain, marked, strict=True):
        is_last = after.step == after.num_steps
        for kind, result in before.kinds.items():
            shown = after.kinds[kind].x_0
            torch.testing.assert_close(shown, result.x_0.clamp(-1, 1) * 0.5 if is_last else result.x_0)
        torch.testing.assert_close(after.guided, before.guided)


def test_a_fork_is_compared_with_the_thresholding_of_each_of_its_legs(tiny_imagen: Imagen) -> None:
    child = RECIPE.forked("base", 2, {"prompt": "a blue cube", "base": {"thresholding": "static"}})
    run = previews(tiny_imagen, child, "base")
    steps = compared(tiny_imagen, child, "base", image=1)
    assert [(step.step, step.used) for step in steps] == [(1, "dynamic"), (2, "dynamic"), (3, "static"), (4, "static")]
    parents = previews(tiny_imagen, RECIPE, "base")[:2]
    for event in [*parents, *run]:
        step = steps[event.step - 1]
        assert torch.equal(step.kinds[step.used].x_0, event.x_0[1:2])


def test_each_kind_is_its_formula(tiny_imagen: Imagen) -> None:
    for step in compared(tiny_imagen, RECIPE, "base"):
        guided = step.guided.numpy().astype(np.float64)
        assert np.abs(guided).max() > 1  # else the three would be one
        static, dynamic = step.kinds["static"], step.kinds["dynamic"]
        np.testing.assert_array_equal(static.x_0.numpy(), np.clip(step.guided.numpy(), -1, 1))
        assert static.clipped_share[0] == pytest.approx((np.abs(guided) > 1).mean(), abs=1e-9)
        s = np.percentile(np.abs(guided), 90.0)
        assert dynamic.s[0] == pytest.approx(s, rel=1e-5)
        bound = max(s, 1.0)
        np.testing.assert_allclose(dynamic.x_0.numpy(), np.clip(guided, -bound, bound) / bound, atol=1e-5)
        assert step.kinds["none"].clipped_share == (0.0,)


def test_stages_that_are_kept_are_not_drawn_again(tiny_imagen: Imagen) -> None:
    list(tiny_imagen.stream(RECIPE))
    calls: list[str] = []
    for name, stage in tiny_imagen.cascade.stages.items():
        stage.unet.register_forward_pre_hook(lambda *_, name=name: calls.append(name))
    compared(tiny_imagen, RECIPE, "sr1024")
    assert calls == ["sr1024"] * 2  # one call a step, as in the run


def test_the_cap_of_a_checkpoint_is_that_of_the_comparison(tiny_imagen: Imagen) -> None:
    stages = {name: replace(stage, threshold_cap=1.0) for name, stage in tiny_imagen.cascade.stages.items()}
    tiny_imagen.cascade.stages = stages
    for step in compared(tiny_imagen, RECIPE, "base"):
        assert torch.equal(step.kinds["dynamic"].x_0, step.kinds["static"].x_0)  # a cap of 1 is static


def test_it_can_be_stopped_within_a_step(tiny_imagen: Imagen) -> None:
    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        next(compare_thresholding(tiny_imagen.cascade, RECIPE, "base", 0, stop))


def test_what_keeps_the_stage_from_going_on_is_told_in_a_sentence(tiny_imagen: Imagen) -> None:
    """The page said of each of these that something was wrong in the program itself."""
    text_encoder = tiny_imagen.cascade.text_encoder
    as_it_was, text_encoder.caption = text_encoder.caption, lambda _: "something else"
    with pytest.raises(StageError, match=r"^base: the caption made of the prompt has other words, so no word can be"):
        compared(tiny_imagen, replace(RECIPE, prompt="a (red:1.4) apple"), "base")
    text_encoder.caption = as_it_was
    unet = tiny_imagen.cascade.stages["base"].unet
    handle = unet.stem.register_forward_pre_hook(lambda *_: torch.empty(2**52))
    with pytest.raises(StageError, match=r"^base: there is not enough memory; ask for an earlier stage\.$"):
        compared(tiny_imagen, RECIPE, "base")
    handle.remove()
    with torch.no_grad():
        next(unet.parameters()).fill_(torch.nan)
    with pytest.raises(StageError, match=r"^base: step 1 of 4: .* is not finite\. Another seed or guidance may"):
        compared(tiny_imagen, RECIPE, "base")


@pytest.mark.parametrize(("stage", "image"), [("sr1024", 0), ("base", 2), ("base", -1), ("sr99", 0)])
def test_what_the_recipe_does_not_have_is_refused(tiny_imagen: Imagen, stage: str, image: int) -> None:
    recipe = replace(RECIPE, last_stage="sr256")
    with pytest.raises(RecipeError):
        compared(tiny_imagen, recipe, stage, image)
