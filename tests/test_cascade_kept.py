"""What a cascade keeps of its runs, so that a setting runs no more than it changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from imagen_core.cascade import KEPT_BYTES
from imagen_core.events import PromptEncoded, StageFinished
from imagen_core.imagen import Imagen
from imagen_core.recipe import MAX_PIXELS, SIZES, Recipe
from tests.cascade_runs import drawn_again, fast, finished
from tests.text_encoders import runs_of


def test_a_later_stage_changes_alone(tiny_imagen: Imagen) -> None:
    before = finished(list(tiny_imagen.stream(fast())))
    events = list(tiny_imagen.stream(fast().updated({"sr1024": {"num_steps": 3, "aug_level": 0.4}})))
    after = finished(events)
    assert drawn_again(events) == ["sr1024"]
    assert [event.cached for event in events if isinstance(event, StageFinished)] == [True, True, False]
    assert torch.equal(before["base"], after["base"])
    assert torch.equal(before["sr256"], after["sr256"])
    assert not torch.equal(before["sr1024"], after["sr1024"])


@pytest.mark.parametrize(
    ("of_recipe", "change"),
    [
        ({"base": {"thresholding": "static"}}, {"base": {"percentile": 80}}),
        ({"base": {"thresholding": "none"}}, {"base": {"percentile": 80}}),
        ({"base": {"spacing": "fast27"}}, {"base": {"num_steps": 9}}),
        ({"base": {"guidance_scale": 1}}, {"base": {"guidance_start": 0.25, "guidance_end": 0.5}}),
        ({"base": {"guidance_scale": 1}}, {"negative_prompt": "a long, long word of blue"}),
        (
            {"base": {"guidance_start": 0.5, "guidance_end": 0.5}},
            {"base": {"guidance_scale": 9}, "negative_prompt": "(blue:0.5)"},
        ),
    ],
)
def test_what_changes_no_pixel_draws_nothing_again(
    tiny_imagen: Imagen, of_recipe: dict[str, object], change: dict[str, object]
) -> None:
    """Each of them drew its stage, and all behind it, once more."""
    recipe = replace(fast(), last_stage="base").updated(of_recipe)
    before = finished(list(tiny_imagen.stream(recipe)))["base"]
    changed = recipe.updated(change)
    assert changed != recipe
    assert drawn_again(list(tiny_imagen.stream(changed))) == []
    assert torch.equal(finished(list(tiny_imagen.stream(changed, anew=True)))["base"], before)


def test_a_negative_prompt_draws_the_stages_with_guidance_again(tiny_imagen: Imagen) -> None:
    recipe = Recipe(prompt="a red apple", last_stage="sr256").updated(
        {"base": {"num_steps": 2, "guidance_scale": 1}, "sr256": {"num_steps": 2, "guidance_scale": 2}}
    )
    list(tiny_imagen.stream(recipe))
    assert drawn_again(list(tiny_imagen.stream(replace(recipe, negative_prompt="blue")))) == ["sr256"]


def test_all_stages_are_drawn_anew_where_that_is_asked_for(tiny_imagen: Imagen) -> None:
    before = finished(list(tiny_imagen.stream(fast())))
    assert drawn_again(list(tiny_imagen.stream(fast()))) == []
    events = list(tiny_imagen.stream(fast(), anew=True))
    assert drawn_again(events) == ["base", "sr256", "sr1024"]
    assert all(torch.equal(images, before[stage]) for stage, images in finished(events).items())


def test_a_setting_never_runs_t5_again(tiny_imagen: Imagen) -> None:
    runs = runs_of(tiny_imagen.cascade.text_encoder)
    list(tiny_imagen.stream(fast()))
    assert len(runs) == 1
    events = list(tiny_imagen.stream(fast(seed=8).updated({"base": {"guidance_scale": 7.0}})))
    assert len(runs) == 1
    encoded = [event for event in events if isinstance(event, PromptEncoded)]
    assert [event.cached for event in encoded] == [True]


def test_the_largest_recipe_is_kept_whole() -> None:
    """Else a change of its last stage would run the stages before it again."""
    largest = sum(MAX_PIXELS // SIZES["sr1024"] ** 2 * 3 * size**2 * 4 for size in SIZES.values())
    assert largest <= KEPT_BYTES


def test_kept_images_stay_below_their_limit(tiny_imagen: Imagen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagen_core.cascade.KEPT_BYTES", 3 * 64 * 64 * 4 * 2)  # two pictures of the base
    recipe = replace(fast(), last_stage="base")
    for seed in (1, 2, 3, 2, 1):
        events = list(tiny_imagen.stream(replace(recipe, seed=seed)))
        # 3 pushed out 1; 2 was still there; 1 had to be drawn again.
    assert drawn_again(events) == ["base"]
    assert drawn_again(list(tiny_imagen.stream(replace(recipe, seed=2)))) == []
