"""Strategies of hypothesis: any text, any JSON, any recipe."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from imagen_core.recipe import (
    RULES,
    SCHEDULERS,
    SPACINGS,
    STAGES,
    THRESHOLDINGS,
    Recipe,
    RecipeError,
    StageRecipe,
)

any_text = st.text(st.characters())  # with lone surrogates, NUL and everything else

plain_text = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\t\n"), max_size=300)

names = st.sampled_from(sorted(RULES)) | any_text

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def stage_recipes(draw: st.DrawFn, name: str) -> StageRecipe:
    start, end = sorted((draw(st.floats(0, 1)), draw(st.floats(0, 1))))
    return StageRecipe(
        num_steps=draw(st.integers(1, 250)),
        scheduler=draw(st.sampled_from(SCHEDULERS)),
        spacing=draw(st.sampled_from(SPACINGS)),
        guidance_scale=draw(st.floats(0, 30)),
        guidance_start=start,
        guidance_end=end,
        thresholding=draw(st.sampled_from(THRESHOLDINGS)),
        percentile=draw(st.floats(50, 100, exclude_min=True)),
        aug_level=0 if name == "base" else draw(st.floats(0, 1)),
        prompt=draw(st.none() | plain_text),
        seed=draw(st.none() | st.integers(0, 2**32 - 1)),
    )


recipes = st.builds(
    Recipe,
    prompt=plain_text,
    negative_prompt=plain_text,
    seed=st.integers(0, 2**32 - 1),
    num_images=st.integers(1, 13),  # 13 x (250 + 250 + 4 x 250) is within the cost allowed
    model=st.sampled_from(["bundled", "deepfloyd-if-m", "a_1.0"]),
    last_stage=st.sampled_from(STAGES),
    base=stage_recipes("base"),
    sr256=stage_recipes("sr256"),
    sr1024=stage_recipes("sr1024"),
)


def assert_recipe_or_error(read: Callable[[], Recipe]) -> None:
    """Any other exception than `RecipeError` fails the test."""
    try:
        assert isinstance(read(), Recipe)
    except RecipeError as caught:
        error = caught
    else:
        return
    assert error.field
    assert len(str(error)) < 500
    assert str(error).isprintable()
    str(error).encode()  # no lone surrogate reaches a page or a terminal
