"""The values of a recipe, and the sentence about each that is refused."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from imagen_core.recipe import (
    MAX_COST,
    RULES,
    SPACINGS,
    STAGES,
    Recipe,
    RecipeError,
    StageRecipe,
)


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
        (" " * 1_000_000, "recipe must be at most 120,000 characters of JSON, not 1,000,000."),
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
        ({"base": {"spacing": 3}}, f"base.spacing must be one of {', '.join(SPACINGS)}, not 3."),
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
            "num_images must be at most 16 at 1024 pixels, not 17: lower it, or choose a smaller last_stage.",
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
            "num_images, model, last_stage, variation, variation_seed, second_share, second_prompt, base, sr256, "
            "sr1024.",
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


def test_numpy_s_numbers_are_numbers() -> None:
    recipe = Recipe().updated(
        {"seed": np.int64(3), "base": {"guidance_scale": np.float32(2.5), "num_steps": np.uint8(9)}}
    )
    assert recipe == Recipe().updated({"seed": 3, "base": {"guidance_scale": 2.5, "num_steps": 9}})
    assert [type(value) for value in (recipe.seed, recipe.base.num_steps, recipe.base.guidance_scale)] == [
        int,
        int,
        float,
    ]
    assert Recipe.from_json(recipe.to_json()) == recipe
    for wrong in (np.bool_(True), np.float64(3.0), np.array([3])):
        with pytest.raises(RecipeError, match="seed must be a whole number"):
            Recipe().updated({"seed": wrong})
    with pytest.raises(RecipeError, match="guidance_scale must be a number from 0 to 30"):
        Recipe().updated({"base": {"guidance_scale": Fraction(10**400)}})
