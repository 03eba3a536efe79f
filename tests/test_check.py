"""The check of a shared picture: what it tells apart, how it travels, and that it never stands in the way."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops

from imagen_core.check import UNKNOWN_WEIGHTS, Check, Checks, Shared, StageCheck, digest, link_with_check, shared
from imagen_core.events import StageFinished
from imagen_core.imagen import Imagen
from imagen_core.images import to_pil
from imagen_core.recipe import Recipe, RecipeError

WEIGHTS = digest(b"weights")
letters = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", min_size=8, max_size=8)
stage_checks = st.builds(StageCheck, letters, st.tuples(*[st.integers(0, 63)] * 48))
checks = st.builds(Check, letters | st.just(UNKNOWN_WEIGHTS), st.lists(stage_checks, min_size=1, max_size=3).map(tuple))


def picture(seed: int, size: int = 64) -> Image.Image:
    """A picture of 8 x 8 random tiles: as unlike another seed's as pictures get."""
    pixels = random.Random(seed).randbytes(192)
    return Image.frombytes("RGB", (8, 8), pixels).resize((size, size), Image.Resampling.NEAREST)


def check_of(*images: Image.Image, weights: str = WEIGHTS) -> Check:
    return Check(weights, tuple(StageCheck.of(image) for image in images))


@given(checks)
def test_a_check_is_the_same_after_its_text(check: Check) -> None:
    assert Check.from_text(check.to_text()) == check


@given(st.text())
def test_any_text_is_a_check_or_none(text: str) -> None:
    check = Check.from_text(text)
    assert check is None or check.to_text() == text


@given(checks, st.integers(0, 200), st.characters())
def test_a_damaged_check_is_none_or_another_one(check: Check, place: int, letter: str) -> None:
    text = check.to_text()
    damaged = text[:place] + letter + text[place + 1 :]
    found = Check.from_text(damaged)
    assert found is None or found.to_text() == damaged


def test_mean_colours_are_those_of_the_cells() -> None:
    image = Image.new("RGB", (8, 8), (255, 0, 128))
    image.paste((0, 0, 0), (0, 0, 2, 2))  # the first of the sixteen cells
    image.putpixel((2, 0), (255, 255, 128))  # a quarter of the second
    colours = StageCheck.of(image).colours
    assert colours[:6] == (0, 0, 0, 63, 16, 32)
    assert colours[6:] == (63, 0, 32) * 14


def test_verdicts() -> None:
    small, large = picture(1), picture(2, 256)
    noisy = ImageChops.add(large, Image.effect_noise((256, 256), 4).convert("RGB"), offset=-128)
    before = check_of(small, large)
    assert before.verdict(check_of(small, large)) == "identical"
    assert before.verdict(check_of(small, large, weights=digest(b"others"))) == "identical"
    assert (
        before.verdict(check_of(small, noisy))
        == "64 pixels: identical; 256 pixels: same noise, small numeric differences"
    )
    brighter = ImageChops.add(small, Image.new("RGB", small.size, (1, 1, 1)))
    assert check_of(small).verdict(check_of(brighter)) == "same noise, small numeric differences"
    assert before.verdict(check_of(picture(3), picture(4, 256))) == "another picture"
    assert before.verdict(check_of(picture(3), noisy, weights=digest(b"others"))) == "another model"
    nobody_knows = check_of(small, weights=UNKNOWN_WEIGHTS)
    assert nobody_knows.verdict(check_of(picture(3))) == "another picture"
    assert nobody_knows.verdict(check_of(brighter)) == "same noise, small numeric differences"


def test_another_recipe_is_not_compared() -> None:
    check = check_of(picture(1))
    before = Shared(Recipe(prompt="an apple"), check)
    assert before.verdict(Recipe(prompt="an apple"), check) == "identical"
    assert before.verdict(Recipe(prompt="a pear"), check) == ""


def test_a_link_with_a_check_is_the_link_of_its_recipe() -> None:
    recipe, check = Recipe(prompt="a & b = c", seed=7), check_of(picture(1), picture(2, 256))
    link = link_with_check(recipe, check)
    assert link.startswith(recipe.to_link())
    assert Recipe.from_link(link) == recipe
    assert Recipe.from_link(recipe.to_link()) == recipe
    assert shared(recipe, link.rpartition("=")[2]) == Shared(recipe, check)


@pytest.mark.parametrize("text", ["", "1.", "2.-.x", "💥", "a" * 90_000])
def test_a_check_that_cannot_be_read_leaves_the_recipe(text: str) -> None:
    recipe = Recipe(prompt="an apple")
    assert Recipe.from_link(f"{recipe.to_link()}&check={text}") == recipe
    assert shared(recipe, text) is None


def test_a_link_that_is_cut_off_in_its_check_still_opens() -> None:
    recipe = Recipe(prompt="an apple")
    link = link_with_check(recipe, check_of(picture(1), picture(2, 256), picture(3, 1024)))
    plain = len(recipe.to_link())
    for end in range(plain + len("&check="), len(link)):
        assert Recipe.from_link(link[:end]) == recipe
    with pytest.raises(RecipeError):
        Recipe.from_link(link[: plain - 1])


def test_links_of_ordinary_recipes_are_short() -> None:
    """Up to 2,000 characters a link passes through every chat and mail program."""
    check = check_of(picture(1), picture(2, 256), picture(3, 1024))
    stage = {"prompt": "flat illustration", "seed": 2**32 - 1, "guidance_start": 0.05, "guidance_end": 0.95}
    many = Recipe(prompt="three blue stars above a green turtle on a beach, " * 4, negative_prompt="blurry " * 10)
    many = many.updated(dict.fromkeys(("base", "sr256", "sr1024"), stage))
    address = "https://huggingface.co/spaces/somebody-with-a-name/imagen-in-miniature?"
    assert len(address + link_with_check(many, check)) <= 2000
    assert len(address + link_with_check(replace(many, prompt="ein Apfel im Gläs-chen 🍎" * 4), check)) <= 2000


def test_a_picture_drawn_again_is_identical_and_one_of_other_weights_is_not(tiny_imagen: Imagen) -> None:
    recipe = Recipe(prompt="an apple", seed=3, num_images=2, last_stage="sr256").updated({"base": {"num_steps": 3}})

    def drawn(recipe: Recipe, weights: str) -> Checks:
        tiny_imagen.cascade.forget()
        found = Checks(weights)
        for event in tiny_imagen.stream(recipe):
            if isinstance(event, StageFinished):
                found.add(to_pil(event.x_0))
        return found

    before = drawn(recipe, WEIGHTS)
    assert len(before.of(1).stages) == 2
    assert before.of(1) == drawn(recipe.for_image(1), WEIGHTS).of(0)
    assert before.of(0) != before.of(1)
    next(tiny_imagen.cascade.stages["sr256"].unet.parameters()).mul_(3)
    after = drawn(recipe, digest(b"others")).of(0)
    assert before.of(0).verdict(after) == "64 pixels: identical; 256 pixels: another model"
