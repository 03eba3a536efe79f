"""Drafts against the cascade that draws each of them alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from imagen_core.cascade import Cascade
from imagen_core.draft_wall import BATCH, DraftStep, DraftWall
from imagen_core.drafts import Drafts
from imagen_core.events import StageError, StageFinished
from imagen_core.imagen import Imagen
from imagen_core.recipe import Recipe
from tests.conftest import make_tiny_imagen

RECIPE = Recipe(prompt="an apple", seed=7).updated(
    {"base": {"num_steps": 4, "guidance_scale": 2.0, "thresholding": "dynamic"}}
)


def drawn(steps: list[DraftStep]) -> dict[int, Tensor]:
    return {draft: step.x_0[place] for step in steps for place, draft in enumerate(step.drafts)}


def alone(cascade: Cascade, recipe: Recipe) -> Tensor:
    return next(event for event in cascade.run(recipe) if isinstance(event, StageFinished)).x_0[0]


@pytest.mark.parametrize("scheduler", ["dpmsolver++", "ddpm"])
@pytest.mark.parametrize("prompts", [(), ("a red apple", "two blue stars on a beach")])
def test_draft_is_what_the_cascade_draws_alone(tiny_imagen: Imagen, scheduler: str, prompts: tuple[str, ...]) -> None:
    """In float32 only the order of sums differs between a batch and one image."""
    drafts = Drafts(RECIPE.updated({"base": {"scheduler": scheduler, "guidance_scale": 3}}), BATCH + 3, prompts)
    pictures = drawn(list(DraftWall(tiny_imagen.cascade, torch.float32).run(drafts)))
    for draft in (0, 1, 2, BATCH, BATCH + 2):
        torch.testing.assert_close(
            pictures[draft], alone(tiny_imagen.cascade, drafts.recipe_of(draft)), atol=1e-5, rtol=0
        )


def test_bfloat16_draft_is_near(tiny_imagen: Imagen) -> None:
    drafts = Drafts(RECIPE, 2)
    wall = DraftWall(tiny_imagen.cascade, torch.bfloat16)
    pictures = drawn(list(wall.run(drafts)))
    assert wall.number_format == torch.bfloat16
    for draft, picture in pictures.items():
        difference = picture - alone(tiny_imagen.cascade, drafts.recipe_of(draft))
        assert 0 < difference.square().mean().sqrt() < 0.02  # 40 dB
    assert next(tiny_imagen.cascade.stages["base"].unet.parameters()).dtype == torch.float32


def test_all_drafts_grow_together(tiny_imagen: Imagen) -> None:
    steps = list(DraftWall(tiny_imagen.cascade, torch.float32).run(Drafts(RECIPE, 2 * BATCH)))
    assert [(step.drafts[0], step.step) for step in steps] == [
        (first, step) for step in range(1, 5) for first in (0, BATCH)
    ]
    assert {step.num_steps for step in steps} == {4}


def test_nothing_of_a_draft_is_kept(tiny_imagen: Imagen) -> None:
    drafts = Drafts(RECIPE, 1)
    list(DraftWall(tiny_imagen.cascade, torch.bfloat16).run(drafts))
    finished = [event for event in tiny_imagen.stream(drafts.recipe_of(0)) if isinstance(event, StageFinished)]
    assert [event.cached for event in finished] == [False] * 3


def test_promoted_is_the_image_that_a_whole_run_gives(tiny_imagen: Imagen) -> None:
    """Image i of the form's recipe drawn with others, and draft i promoted: the same pixels."""
    together = replace(RECIPE, num_images=3, last_stage="sr256")
    pictures = tiny_imagen.generate(together)
    promoted = tiny_imagen.generate(Drafts(replace(RECIPE, last_stage="sr256"), 64).recipe_of(2))
    assert promoted[0].tobytes() == pictures[2].tobytes()


def test_closed_wall_stops(tiny_imagen: Imagen) -> None:
    run = DraftWall(tiny_imagen.cascade, torch.float32).run(Drafts(RECIPE, 64))
    next(run)
    run.close()
    assert list(run) == []


def test_refused_drafts_are_grey() -> None:
    imagen = make_tiny_imagen()
    base = replace(imagen.cascade.stages["base"], refused=lambda x_0: tuple(i == 1 for i in range(len(x_0))))
    cascade = Cascade({**imagen.cascade.stages, "base": base}, imagen.cascade.device)
    *_, last = DraftWall(cascade, torch.float32).run(Drafts(RECIPE, 3))
    assert last.refused == (False, True, False)
    assert not last.x_0[1].any()
    assert last.x_0[0].any()


def test_broken_weights_are_told() -> None:
    imagen = make_tiny_imagen()
    for parameter in imagen.cascade.stages["base"].unet.parameters():
        parameter.fill_(torch.nan)
    with pytest.raises(StageError, match="not finite"):
        list(DraftWall(imagen.cascade, torch.float32).run(Drafts(RECIPE, 3)))
