"""Between two seeds: noise that is as loud as theirs, pictures that are theirs at both ends, recipes like any other."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from imagen_core.imagen import Imagen
from imagen_core.metadata import read_recipe, to_png
from imagen_core.noise import StageNoise, gaussian_noise, slerp
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.stage_recipe import STAGES
from imagen_core.variation import Other

SMALL = Recipe(prompt="an apple", seed=7, last_stage="sr256").updated(
    {"base": {"num_steps": 2}, "sr256": {"num_steps": 1}}
)
SHARES = st.floats(0, 1, allow_subnormal=False)
SEEDS = st.integers(0, 2**32 - 1)
varied = st.builds(
    Recipe, prompt=st.just("x"), seed=SEEDS, variation=SHARES, variation_seed=SEEDS, num_images=st.integers(1, 4)
)


def pixels(imagen: Imagen, recipe: Recipe) -> list[bytes]:
    imagen.cascade.forget()
    return [image.tobytes() for image in imagen.generate(recipe)]


def test_slerp_of_orthogonal_vectors_is_the_great_circle() -> None:
    first, second = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    for share in (0, 0.25, 0.5, 1):
        angle = share * math.pi / 2
        assert slerp(first, second, share).tolist() == pytest.approx([math.cos(angle), math.sin(angle)])
    turned = torch.tensor([0.5, math.sqrt(0.75)])  # 60 degrees away
    assert slerp(first, turned, 0.5).tolist() == pytest.approx([math.cos(math.pi / 6), 0.5])


def test_slerp_ends_at_its_ends_and_survives_one_direction() -> None:
    first, second = torch.randn(3, 8, 8), torch.randn(3, 8, 8)
    assert slerp(first, second, 0) is first
    assert slerp(first, second, 1) is second
    assert torch.equal(slerp(first, first.clone(), 0.5), first)


@given(SHARES, SEEDS)
def test_noise_between_two_seeds_has_unit_variance(share: float, seed: int) -> None:
    noise = StageNoise(seed, "base", 1, 64, Other((seed + 1) % 2**32, share)).initial()
    assert noise.mean().abs() < 0.06
    assert noise.std() == pytest.approx(1, abs=0.04)


def test_neighbours_share_a_seed_and_are_the_same_alone() -> None:
    together = StageNoise(7, "base", 3, 16, Other(2**32 - 1, 0.3))
    for image in range(3):
        alone = StageNoise(7, "base", 1, 16, Other((2**32 - 1 + image) % 2**32, 0.3))
        assert torch.equal(alone.initial()[0], together.initial()[image])
        assert torch.equal(alone.augmentation(8)[0], together.augmentation(8)[image])
        drawn = torch.randn(16, generator=together.generators(5)[image])
        assert torch.equal(drawn, torch.randn(16, generator=StageNoise(7, "base", 1, 16).generators(5)[0]))
    own = gaussian_noise(7, 0, "base", "initial", (3, 16, 16))
    cosines = [torch.cosine_similarity(own.flatten(), noise.flatten(), dim=0) for noise in together.initial()]
    assert [float(cosine) for cosine in cosines] == pytest.approx([math.cos(0.3 * math.pi / 2)] * 3, abs=0.05)


@pytest.mark.parametrize("scheduler", ["dpmsolver++", "ddpm"])
def test_both_ends_are_exactly_the_pictures_of_the_seeds(tiny_imagen: Imagen, scheduler: str) -> None:
    one = SMALL.updated({stage: {"scheduler": scheduler} for stage in STAGES})
    other = replace(one, seed=11)
    assert replace(one, variation=0.0, variation_seed=11) == one
    assert pixels(tiny_imagen, replace(one, variation=1.0, variation_seed=11)) == pixels(tiny_imagen, other)
    between = pixels(tiny_imagen, replace(one, variation=0.5, variation_seed=11))
    assert between not in (pixels(tiny_imagen, one), pixels(tiny_imagen, other))


def test_neighbours_drawn_together_are_those_drawn_alone(tiny_imagen: Imagen) -> None:
    recipe = replace(SMALL, variation=0.3, variation_seed=2**32 - 1, num_images=3)
    together = pixels(tiny_imagen, recipe)
    assert len(set(together)) == 3
    for image in range(3):
        alone = recipe.for_image(image)
        assert (alone.seed, alone.variation_seed) == (7, (2**32 - 1 + image) % 2**32)
        assert pixels(tiny_imagen, alone) == [together[image]]


def test_what_is_drawn_is_kept_under_what_determines_it() -> None:
    varied = replace(SMALL, variation=0.5, variation_seed=11)
    end = replace(varied, variation=1.0)
    for stage in STAGES:
        assert (
            len({SMALL.stage_key(stage), varied.stage_key(stage), replace(varied, variation=0.4).stage_key(stage)}) == 3
        )
        assert end.stage_key(stage) == replace(SMALL, seed=11).stage_key(stage)
    own = {"sr256": {"seed": 5}}
    assert varied.updated(own).stage_key("sr256")[-1] == SMALL.updated(own).stage_key("sr256")[-1]


@given(varied)
def test_there_and_back(recipe: Recipe) -> None:
    assert Recipe.from_link(recipe.to_link()) == recipe
    assert Recipe.from_json(recipe.to_json()) == recipe
    for image in range(recipe.num_images):
        alone = recipe.for_image(image)
        assert alone.for_image(0) == alone == Recipe.from_link(alone.to_link())


@given(varied)
def test_what_is_off_leaves_the_link_as_it_was(recipe: Recipe) -> None:
    off = replace(recipe, variation=0.0)
    assert off.variation_seed is None
    assert "variation" not in off.to_link()
    assert off == Recipe(prompt="x", seed=recipe.seed, num_images=recipe.num_images)


def test_a_png_carries_it(tiny_imagen: Imagen) -> None:
    recipe = replace(SMALL, variation=0.5, variation_seed=11)
    (image,) = tiny_imagen.generate(recipe)
    assert read_recipe(to_png(image, recipe)) == recipe


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"variation": 0.5}, "variation_seed must be given, because variation is 0.5, not 0."),
        ({"variation": 1.5, "variation_seed": 1}, "variation must be a number from 0 to 1, not 1.5."),
        ({"variation": True, "variation_seed": 1}, "variation must be a number from 0 to 1, not true."),
        (
            {"variation": 0.5, "variation_seed": 1.5},
            "variation_seed must be a whole number from 0 to 4294967295, not 1.5.",
        ),
    ],
)
def test_what_is_wrong_is_told(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe().updated(values)
    assert str(caught.value) == sentence
