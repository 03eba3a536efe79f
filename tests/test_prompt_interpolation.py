"""Between two prompts: exactly theirs at both ends, and on the way as much of each as the share says."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from imagen_core.events import PromptEncoded
from imagen_core.imagen import Imagen
from imagen_core.prompt_interpolation import interpolated, read_prompts
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.stage_recipe import STAGES
from imagen_core.variation import Other
from imagen_core.word_tokens import PromptStates, prompt_states

RECIPE = Recipe(prompt="a red apple", seed=7, last_stage="sr256").updated(
    {"base": {"num_steps": 2}, "sr256": {"num_steps": 1}}
)
TEXT = st.text("ab :2\n犬", max_size=30).filter(str.strip)


def pixels(imagen: Imagen, recipe: Recipe) -> bytes:
    imagen.cascade.forget()
    return imagen.generate(recipe)[0].tobytes()


def states(count: int, value: float, weights: list[float] | None = None) -> PromptStates:
    """One image, `count` tokens of two numbers; the last one, end of text, is ten times the others."""
    tokens = torch.full((1, count, 2), value)
    tokens[:, -1] *= 10
    return PromptStates(
        tokens, torch.ones(1, count, dtype=torch.bool), None if weights is None else torch.tensor([weights]).log()
    )


def test_tokens_are_mixed_in_their_order_and_those_of_one_prompt_alone_are_weighed_with_its_share() -> None:
    for pair, share in (((states(2, 1.0), states(4, 2.0)), 0.25), ((states(4, 2.0), states(2, 1.0)), 0.75)):
        mixed = interpolated(*pair, share)
        assert mixed.states[0, :, 0].tolist() == pytest.approx([1.25, 8.0, 2.0, 20.0])
        assert mixed.mask.tolist() == [[True] * 4]
        assert mixed.log_weights is not None
        assert mixed.log_weights.exp()[0].tolist() == pytest.approx([1.0, 1.0, 0.25, 0.25])
    assert interpolated(states(3, 1.0), states(3, 2.0), 0.25).log_weights is None


def test_a_small_share_is_near_the_first_prompt_however_long_the_second_is(tiny_imagen: Imagen) -> None:
    """With tokens that count wholly from the start, a share of a fifth was the second picture already."""
    way = [replace(RECIPE, second_share=share, second_prompt="two pears " * 20) for share in (0, 1e-6, 1)]
    first, near, last = (torch.tensor(list(pixels(tiny_imagen, recipe))).float() for recipe in way)
    assert (near - first).abs().mean() < (last - first).abs().mean() / 20


def test_a_token_counts_where_it_counts_in_either() -> None:
    empty = PromptStates(torch.ones(1, 1, 2), torch.zeros(1, 1, dtype=torch.bool), None)
    assert interpolated(empty, states(3, 1.0), 0.5).mask.tolist() == [[True] * 3]
    assert interpolated(states(3, 1.0), empty, 0.5).mask.tolist() == [[True] * 3]
    assert interpolated(empty, empty, 0.5).mask.tolist() == [[False]]


def test_weights_go_from_one_to_the_other() -> None:
    mixed = interpolated(states(2, 1.0, [0.0, 1.0]), states(3, 1.0, [2.0, 1.0, 3.0]), 0.5)
    assert mixed.log_weights is not None
    assert mixed.log_weights.exp()[0].tolist() == pytest.approx([1.0, 1.0, 1.5])
    assert interpolated(states(1, 1.0, [0.0]), states(1, 1.0, [0.0]), 0.5).log_weights == -torch.inf
    plain = interpolated(states(2, 1.0, [0.5, 1.0]), states(2, 1.0), 0.5).log_weights
    assert plain is not None
    assert plain.exp()[0].tolist() == pytest.approx([0.75, 1.0])


def test_ends_are_the_states_themselves(tiny_imagen: Imagen) -> None:
    read = partial(prompt_states, tiny_imagen.cascade.text_encoder, images=2, device=torch.device("cpu"))
    one, two = read("an apple"), read("two green pears on a table")
    assert interpolated(one, two, 0) is one
    assert interpolated(one, two, 1) is two
    half = read_prompts(read, "an apple", Other("two green pears on a table", 0.5))
    assert half.states.shape == two.states.shape
    assert torch.allclose(half.states[:, 0], (one.states[:, 0] + two.states[:, 0]) / 2)


def test_both_ends_are_exactly_the_pictures_of_the_prompts(tiny_imagen: Imagen) -> None:
    other = "two (green:1.5) pears on a wooden table"
    assert replace(RECIPE, second_share=0.0, second_prompt=other) == RECIPE
    there = replace(RECIPE, second_share=1.0, second_prompt=other)
    assert pixels(tiny_imagen, there) == pixels(tiny_imagen, replace(RECIPE, prompt=other))
    shares = [
        pixels(tiny_imagen, replace(RECIPE, second_share=share, second_prompt=other)) for share in (0.2, 0.5, 0.8)
    ]
    assert len({*shares, pixels(tiny_imagen, RECIPE), pixels(tiny_imagen, there)}) == 5


def test_both_prompts_are_told_and_a_stage_of_its_own_words_keeps_them(tiny_imagen: Imagen) -> None:
    recipe = replace(RECIPE, second_share=0.5, second_prompt="a pear").updated({"sr256": {"prompt": "a plum"}})
    told = [event.prompt for event in tiny_imagen.stream(recipe) if isinstance(event, PromptEncoded)]
    assert told == ["a red apple", "a pear", "a plum"]
    plain = RECIPE.updated({"sr256": {"prompt": "a plum"}})
    assert recipe.stage_key("sr256")[-1] == plain.stage_key("sr256")[-1]
    assert recipe.stage_key("base") != plain.stage_key("base")


def test_what_is_drawn_is_kept_under_what_determines_it() -> None:
    way = [replace(RECIPE, second_share=share, second_prompt="a pear") for share in (0.0, 0.3, 0.6, 1.0)]
    for stage in STAGES:
        assert len({recipe.stage_key(stage) for recipe in way}) == 4
        assert way[0].stage_key(stage) == RECIPE.stage_key(stage)
        assert way[3].stage_key(stage) == replace(RECIPE, prompt="a pear").stage_key(stage)


@given(st.floats(0, 1, allow_subnormal=False), TEXT)
def test_there_and_back(share: float, prompt: str) -> None:
    recipe = Recipe(prompt="x", second_share=share, second_prompt=prompt)
    assert Recipe.from_link(recipe.to_link()) == recipe
    assert Recipe.from_json(recipe.to_json()) == recipe
    off = replace(recipe, second_share=0.0)
    assert off == Recipe(prompt="x")
    assert "second" not in off.to_link()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"second_share": 0.5}, "second_prompt must be given, because second_share is 0.5, not 0."),
        (
            {"second_share": 0.5, "second_prompt": " \n"},
            "second_prompt must be given, because second_share is 0.5, not 0.",
        ),
        ({"second_share": -1, "second_prompt": "a"}, "second_share must be a number from 0 to 1, not -1."),
        (
            {"second_share": 1, "second_prompt": "a" * 1001},
            "second_prompt must be at most 1,000 characters, not 1,001.",
        ),
    ],
)
def test_what_is_wrong_is_told(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe().updated(values)
    assert str(caught.value) == sentence


def test_a_fork_of_a_variation_keeps_it() -> None:
    parent = replace(RECIPE, variation=0.5, variation_seed=3, second_share=0.5, second_prompt="a pear", num_images=2)
    child = parent.forked("base", 1, {"second_share": 0.0, "variation": 0.0})
    assert Recipe.from_link(child.to_link()) == child
    assert Recipe.from_json(child.to_json()) == child
    alone = child.for_image(1)
    assert alone.fork is not None
    assert (alone.seed, alone.fork.parent.seed, alone.fork.parent.variation_seed) == (8, 7, 4)
