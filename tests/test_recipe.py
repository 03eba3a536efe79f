"""Recipe: one validation for every door, with sentences that a person reads; JSON and link text there and back."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagen_core import link
from imagen_core.recipe import (
    MAX_COST,
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


# There and back


@given(recipes)
@settings(max_examples=100, deadline=None)
def test_json_dict_and_link_give_back_the_same_recipe(recipe: Recipe) -> None:
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert Recipe.from_link(recipe.to_link()) == recipe
    assert Recipe.from_link("?" + recipe.to_link()) == recipe
    assert Recipe.from_link(dict(parse_qsl(recipe.to_link(), keep_blank_values=True))) == recipe
    assert hash(Recipe.from_json(recipe.to_json())) == hash(recipe)


@given(any_text | any_text.map(lambda text: "{" + text) | json_values.map(json.dumps))
@settings(max_examples=200, deadline=None)
def test_any_json_is_a_recipe_or_a_recipe_error(text: str) -> None:
    assert_recipe_or_error(lambda: Recipe.from_json(text))


@given(st.dictionaries(st.sampled_from(["version", "prompt", "seed", *STAGES]) | any_text, json_values, max_size=4))
@settings(max_examples=200, deadline=None)
def test_any_values_are_a_recipe_or_a_recipe_error(values: dict[str, object]) -> None:
    assert_recipe_or_error(lambda: Recipe.from_dict(values))


@given(
    any_text
    | st.lists(st.tuples(names, any_text)).map(lambda pairs: "&".join(f"{name}={text}" for name, text in pairs))
)
@settings(max_examples=300, deadline=None)
def test_any_link_is_a_recipe_or_a_recipe_error(text: str) -> None:
    assert_recipe_or_error(lambda: Recipe.from_link(text))


@given(recipes, st.integers(0, 2000), any_text)
@settings(max_examples=100, deadline=None)
def test_a_link_with_a_piece_put_in_is_a_recipe_or_a_recipe_error(recipe: Recipe, position: int, piece: str) -> None:
    text = recipe.to_link()
    assert_recipe_or_error(lambda: Recipe.from_link(text[:position] + piece + text[position:]))


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


# Links


def test_a_link_reads_like_what_it_means() -> None:
    recipe = Recipe(prompt="a red apple", seed=7, num_images=2).updated({"sr256": {"seed": 3}})
    assert recipe.to_link().startswith("version=1&prompt=a+red+apple&seed=7&num_images=2&model=bundled&last_stage=")
    assert "&base.scheduler=dpmsolver%2B%2B&" in recipe.to_link()
    assert "&sr256.seed=3&" in recipe.to_link()
    assert len(Recipe(prompt="a red apple").to_link()) < 500


def test_a_link_typed_by_hand_has_the_defaults_for_what_it_does_not_name() -> None:
    assert Recipe.from_link("prompt=a+red+apple") == Recipe(prompt="a red apple")
    assert Recipe.from_link("prompt=a%20red%20apple&sr256.num_steps=12").sr256 == replace(Recipe().sr256, num_steps=12)
    assert Recipe.from_link("") == Recipe()


def test_a_link_of_ours_does_not_depend_on_the_defaults() -> None:
    """What such a link leaves out is off, whatever the default is by now: base.guidance_scale is 4, for one."""
    recipe = Recipe().updated({"base": {"guidance_scale": 1}, "sr256": {"aug_level": 0}})
    assert "guidance_scale" not in recipe.to_link()
    assert "aug_level" not in recipe.to_link().replace("sr1024.aug_level", "")
    assert Recipe.from_link(recipe.to_link()) == recipe
    written = {name for name, _ in parse_qsl(Recipe().to_link())}
    left_out = {name.rpartition(".")[2] for name in RULES if name not in written}
    assert left_out == {
        *("negative_prompt", "num_images", "prompt", "seed"),
        *("guidance_scale", "guidance_start", "guidance_end", "aug_level"),
    }


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(prompt="x", num_images=3, last_stage="base")])
def test_a_link_of_ours_that_was_cut_off_is_refused(recipe: Recipe) -> None:
    text = recipe.to_link()
    for length in range(len("version=1"), len(text)):
        with pytest.raises(RecipeError):
            Recipe.from_link(text[:length])


@pytest.mark.parametrize(
    "prompt",
    [
        "1+1=2 & more",
        "100% cotton",
        "a=b&c=d#e?f",
        "שלום עולם",
        "🍎👩‍🚀 apple",
        "tab\tand\nline",
        "é",
        "%41",
        "+",
        " x ",
    ],
)
def test_odd_prompts_survive_a_link(prompt: str) -> None:
    assert Recipe.from_link(Recipe(prompt=prompt).to_link()).prompt == prompt


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("hello", "link must be made of name=value, not 'hello'."),
        ("prompt=50%", "link has a % that is not followed by two hexadecimal digits, in 'prompt=50%'."),
        ("prompt=%zz", "link has a % that is not followed by two hexadecimal digits, in 'prompt=%zz'."),
        ("prompt=%ff", "link has percent-encoded bytes that are not UTF-8, in 'prompt=%ff'."),
        ("prompt=%ed%a0%80", "link has percent-encoded bytes that are not UTF-8, in 'prompt=%ed%a0%80'."),
        ("prompt=a%00b", "prompt must not hold a control character (U+0000, character 2)."),
        ("prompt=\ud800", "prompt must not hold half of a surrogate pair (U+D800, character 1)."),
        ("seed=1&seed=2", "link must not hold 'seed' twice."),
        ("seed=1&s%65ed=2", "link must not hold 'seed' twice."),
        ("x" * 1_000_000, "link must be at most 100,000 characters, not 1,000,000."),
        ("base=3&base.seed=1", "base must not come as a whole and in parts."),
        ("base.seed=1&base=3", "base must not come as a whole and in parts."),
        ("base=3", "base must be an object with names and values, not '3'."),
        ("version=2&prompt=x", "version must be 1, not 2: another release of this program wrote this recipe."),
        ("version=x", "version must be 1, not 'x': another release of this program wrote this recipe."),
        (
            "version=1&prompt=x",
            "link is not whole, seed is missing: copy it again, or leave out its version.",
        ),
        ("seed=1.5", "seed must be a whole number from 0 to 4294967295, not '1.5'."),
        ("seed=", "seed must be a whole number from 0 to 4294967295, not ''."),
        ("seed=１", "seed must be a whole number from 0 to 4294967295, not '１'."),
        ("seed=1_0", "seed must be a whole number from 0 to 4294967295, not '1_0'."),
        ("base.guidance_scale=nan", "base.guidance_scale must be a number from 0 to 30, not 'nan'."),
        ("base.guidance_scale=1e999", "base.guidance_scale must be a number from 0 to 30, not inf."),
        (
            "utm_source=mail",
            "utm_source is not among the known names prompt, negative_prompt, seed, num_images, model, last_stage, "
            "base, sr256, sr1024.",
        ),
        (
            "other.seed=1",
            "other is not among the known names prompt, negative_prompt, seed, num_images, model, last_stage, "
            "base, sr256, sr1024.",
        ),
    ],
)
def test_a_bad_link_is_told_in_a_sentence(query: str, sentence: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_link(query)
    assert str(caught.value) == sentence


def test_a_decoded_link_is_checked_like_any_other() -> None:
    with pytest.raises(RecipeError, match=r"^seed must be a whole number from 0 to 4294967295, not 'x'\.$"):
        Recipe.from_link({"seed": "x"})
    with pytest.raises(RecipeError, match=r"^link must hold text only, not 3\.$"):
        Recipe.from_link({"seed": 3})  # type: ignore[dict-item]
    with pytest.raises(RecipeError, match=r"^link must be at most 100,000 characters, not 1,000,000\.$"):
        Recipe.from_link({"prompt": "x" * 1_000_000})


def test_nested_names_of_more_than_two_parts_are_unknown() -> None:
    assert link.nested({"base.x.y": 1, "seed": 2}) == {"base": {"x.y": 1}, "seed": 2}
    with pytest.raises(RecipeError, match=r"^base\.x\.y is not among the known names num_steps, "):
        Recipe.from_link("base.x.y=1")


# JSON


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "recipe must be JSON, not ''."),
        ("{", "recipe must be JSON, not '{'."),
        ("[" * 50_000, "recipe must be JSON, not '[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[['… (50,000 characters)."),
        ("[]", "recipe must be an object with names and values, not a list."),
        ("null", "recipe must be an object with names and values, not null."),
        ('{"seed": 1, "seed": 1}', "recipe must not hold 'seed' twice."),
        ('{"base": {"seed": 1, "seed": 2}}', "recipe must not hold 'seed' twice."),
        (" " * 1_000_000, "recipe must be at most 100,000 characters of JSON, not 1,000,000."),
        ('{"version": 2}', "version must be 1, not 2: another release of this program wrote this recipe."),
        ('{"version": true}', "version must be 1, not true: another release of this program wrote this recipe."),
        ('{"seed": null}', "seed must be a whole number from 0 to 4294967295, not null."),
        (
            '{"seed": 1' + "0" * 4000 + "}",
            "seed must be a whole number from 0 to 4294967295, not a number of 13,288 bits.",
        ),
        (
            '{"seed": 1' + "0" * 5000 + "}",
            "recipe must be JSON, not '{\"seed\": 1000000000000000000000000000000'… (5,011 characters).",
        ),
        ('{"base": {"guidance_scale": NaN}}', "base.guidance_scale must be a number from 0 to 30, not nan."),
        ('{"sr256": {"aug_level": -Infinity}}', "sr256.aug_level must be a number from 0 to 1, not -inf."),
        ('{"sr256": null}', "sr256 must be an object with names and values, not null."),
        ('{"prompt": "\\ud800"}', "prompt must not hold half of a surrogate pair (U+D800, character 1)."),
    ],
)
def test_bad_json_is_told_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_json(text)
    assert str(caught.value) == sentence


def test_json_is_a_versioned_object_of_every_value() -> None:
    values = json.loads(Recipe(prompt="ein grüner Apfel").to_json())
    assert values["version"] == 1
    assert values["prompt"] == "ein grüner Apfel"
    assert {f"{stage}.{name}" for stage in STAGES for name in values[stage]} == {name for name in RULES if "." in name}


# Values


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"seed": -1}, "seed must be a whole number from 0 to 4294967295, not -1."),
        ({"seed": 2**32}, "seed must be a whole number from 0 to 4294967295, not 4294967296."),
        ({"seed": 1.5}, "seed must be a whole number from 0 to 4294967295, not 1.5."),
        ({"seed": 1.0}, "seed must be a whole number from 0 to 4294967295, not 1.0."),
        ({"seed": "x"}, "seed must be a whole number from 0 to 4294967295, not 'x'."),
        ({"seed": None}, "seed must be a whole number from 0 to 4294967295, not null."),
        ({"seed": True}, "seed must be a whole number from 0 to 4294967295, not true."),
        ({"seed": [1]}, "seed must be a whole number from 0 to 4294967295, not a list."),
        ({"seed": float("nan")}, "seed must be a whole number from 0 to 4294967295, not nan."),
        ({"num_images": 0}, "num_images must be a whole number from 1 to 64, not 0."),
        ({"num_images": float("nan")}, "num_images must be a whole number from 1 to 64, not nan."),
        ({"base": {"num_steps": 0}}, "base.num_steps must be a whole number from 1 to 250, not 0."),
        ({"sr256": {"num_steps": 10**6}}, "sr256.num_steps must be a whole number from 1 to 250, not 1000000."),
        (
            {"sr1024": {"scheduler": "heun"}},
            "sr1024.scheduler must be one of ddpm, ddim, dpmsolver++, dpmsolver++sde, unipc, deis, euler, not 'heun'.",
        ),
        ({"base": {"spacing": 3}}, "base.spacing must be one of trailing, leading, linspace, logsnr, not 3."),
        ({"base": {"thresholding": None}}, "base.thresholding must be one of none, static, dynamic, not null."),
        *(
            ({"sr256": {name: float("nan")}}, f"sr256.{name} must be a number {span}, not nan.")
            for name, span in {
                "guidance_scale": "from 0 to 30",
                "guidance_start": "from 0 to 1",
                "guidance_end": "from 0 to 1",
                "percentile": "above 50 and up to 100",
                "aug_level": "from 0 to 1",
            }.items()
        ),
        ({"base": {"percentile": 50}}, "base.percentile must be a number above 50 and up to 100, not 50."),
        ({"base": {"guidance_scale": True}}, "base.guidance_scale must be a number from 0 to 30, not true."),
        (
            {"base": {"guidance_scale": 10**400}},
            "base.guidance_scale must be a number from 0 to 30, not a number of 1,329 bits.",
        ),
        (
            {"base": {"guidance_start": 0.7, "guidance_end": 0.5}},
            "base.guidance_start must be at most guidance_end, 0.5, not 0.7.",
        ),
        ({"base": {"aug_level": 0.1}}, "base.aug_level must be 0, for base enlarges no image, not 0.1."),
        ({"prompt": None}, "prompt must be text, not null."),
        ({"prompt": "x" * 1001}, "prompt must be at most 1,000 characters, not 1,001."),
        ({"prompt": "x" * 1_000_000}, "prompt must be at most 1,000 characters, not 1,000,000."),
        ({"prompt": "a\0b"}, "prompt must not hold a control character (U+0000, character 2)."),
        ({"prompt": "a\x1b[31m"}, "prompt must not hold a control character (U+001B, character 2)."),
        ({"prompt": "a\x85"}, "prompt must not hold a control character (U+0085, character 2)."),
        (
            {"negative_prompt": "\udc80"},
            "negative_prompt must not hold half of a surrogate pair (U+DC80, character 1).",
        ),
        ({"sr256": {"prompt": "x\x7f"}}, "sr256.prompt must not hold a control character (U+007F, character 2)."),
        ({"sr256": {"seed": 2**32}}, "sr256.seed must be a whole number from 0 to 4294967295, not 4294967296."),
        ({"last_stage": "sr512"}, "last_stage must be one of base, sr256, sr1024, not 'sr512'."),
        (
            {"model": "../../etc"},
            "model must be a name of at most 64 letters, digits, dots, hyphens and underscores, not '../../etc'.",
        ),
        (
            {"num_images": 17},
            "num_images must be at most 16 at 1024 pixels, not 17: lower it, or choose an earlier last_stage.",
        ),
        (
            {"num_images": 16, **{stage: {"num_steps": 250} for stage in STAGES}},
            "num_images of 16 costs 24,000 steps of work where 20,000 are allowed: "
            "lower it, or sr1024.num_steps of 250.",
        ),
        (
            {"base": {"steps": 3}},
            "base.steps is not among the known names num_steps, scheduler, spacing, guidance_scale, guidance_start, "
            "guidance_end, thresholding, percentile, aug_level, prompt, seed.",
        ),
        (
            {"\0" * 99: 3},
            "'" + "\\x00" * 40 + "'… (99 characters) is not among the known names prompt, negative_prompt, seed, "
            "num_images, model, last_stage, base, sr256, sr1024.",
        ),
    ],
)
def test_a_bad_value_is_told_in_a_sentence(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_dict(values)
    assert str(caught.value) == sentence
    assert sentence.startswith(caught.value.field)


def test_the_constructors_check_like_every_other_door() -> None:
    with pytest.raises(RecipeError, match=r"^num_steps must be a whole number from 1 to 250, not 0\.$"):
        StageRecipe(num_steps=0)
    with pytest.raises(RecipeError, match=r"^base must be a StageRecipe, not a dict\.$"):
        Recipe(base={"num_steps": 3})  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match=r"^seed must be "):
        replace(Recipe(), seed=-1)


def test_recipes_and_their_errors_pass_between_processes() -> None:
    """Hosts that lend an accelerator run the model in a process of its own."""
    assert pickle.loads(pickle.dumps(Recipe(prompt="x"))) == Recipe(prompt="x")
    with pytest.raises(RecipeError) as caught:
        Recipe(seed=-1)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.field, str(again)) == (caught.value.field, str(caught.value))


def test_prompts_are_composed_and_keep_their_lines() -> None:
    assert Recipe(prompt="e\u0301").prompt == "\u00e9"
    assert Recipe(prompt="e\u0301" * 1000).prompt == "\u00e9" * 1000
    assert Recipe(prompt="a\r\nb\tc").prompt == "a\nb\tc"
    with pytest.raises(RecipeError, match="at most 1,000 characters, not 1,200"):
        Recipe(prompt="\u0958" * 600)  # NFC makes two characters of each
    for prompt in ("שלום", "مرحبا \u202eabc\u202c", "👩‍🚀🍎", "\ufeffx", "a\u2028b"):
        assert Recipe(prompt=prompt).prompt == prompt


def test_whole_numbers_are_taken_for_numbers_and_become_floats() -> None:
    stage = StageRecipe(num_steps=3, guidance_scale=4, aug_level=-0.0)
    assert (type(stage.guidance_scale), stage.guidance_scale) == (float, 4.0)
    assert str(stage.aug_level) == "0.0"


def test_every_number_of_steps_is_within_the_cost_for_a_few_images() -> None:
    most = {stage: {"num_steps": 250} for stage in STAGES}
    assert Recipe().updated(most | {"num_images": 13}).num_images == 13
    with pytest.raises(RecipeError, match=r"allowed: lower it, or sr1024\.num_steps of 250\.$") as caught:
        Recipe().updated(most | {"num_images": 14})
    assert caught.value.field == "num_images"
    assert MAX_COST < 14 * 1500
    assert Recipe().updated(most | {"num_images": 40, "last_stage": "sr256"}).num_images == 40


# Stages


def test_stages_end_at_the_last_one() -> None:
    assert Recipe().stages() == STAGES
    assert Recipe(last_stage="base").stages() == ("base",)
    assert Recipe().stage("sr256") == Recipe().sr256
    with pytest.raises(RecipeError, match=r"^stage must be one of base, sr256, sr1024, not 'sr512'\.$"):
        Recipe().stage("sr512")


@pytest.mark.parametrize("name", STAGES)
def test_the_key_of_a_stage_has_nothing_of_later_stages(name: str) -> None:
    recipe, position = Recipe(prompt="x"), STAGES.index(name)
    for other in STAGES:
        changed = recipe.updated({other: {"num_steps": 99}})
        assert (changed.stage_key(name) == recipe.stage_key(name)) == (STAGES.index(other) > position)
    assert replace(recipe, last_stage="sr256").stage_key(name) == recipe.stage_key(name)
    for field, value in {"prompt": "y", "seed": 1, "num_images": 2, "model": "m", "negative_prompt": "z"}.items():
        assert recipe.updated({field: value}).stage_key(name) != recipe.stage_key(name)
    assert hash(recipe.stage_key(name)) == hash(Recipe(prompt="x").stage_key(name))


def test_a_stage_of_its_own_prompt_and_seed_equals_the_recipe_of_these() -> None:
    recipe = Recipe(prompt="x", seed=5)
    own = Recipe(prompt="y", seed=6).updated({"base": {"prompt": "x", "seed": 5}})
    assert own.stage_key("base") == recipe.stage_key("base")
    assert own.stage_key("sr256") != recipe.stage_key("sr256")


def test_image_i_alone_has_every_seed_moved_by_i() -> None:
    recipe = Recipe(seed=2**32 - 1, num_images=3).updated({"sr256": {"seed": 10}})
    alone = recipe.for_image(2)
    assert (alone.seed, alone.num_images, alone.base.seed, alone.sr256.seed) == (1, 1, None, 12)
    assert recipe.for_image(0) == replace(recipe, num_images=1)
    with pytest.raises(IndexError, match="image 3 of 3"):
        recipe.for_image(3)
