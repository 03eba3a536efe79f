"""A recipe as a link, whole, typed by hand, cut off or broken."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from imagen_core import link
from imagen_core.address import ours
from imagen_core.recipe import (
    RULES,
    Recipe,
    RecipeError,
)


def test_a_link_reads_like_what_it_means() -> None:
    recipe = Recipe(prompt="a red apple", seed=7, num_images=2).updated({"sr256": {"seed": 3}})
    assert recipe.to_link().startswith("version=1&prompt=a+red+apple&seed=7&num_images=2&model=bundled&last_stage=")
    assert "&sr256.scheduler=dpmsolver%2B%2B&" in recipe.to_link()
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
        *("variation", "variation_seed", "second_share", "second_prompt"),
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
        ("=&.=", "link must be made of name=value, not '='."),
        ("seed=1&%2Eseed=2", "link must be made of name=value, not '%2Eseed=2'."),
        ("prompt=50%", "link has a % that is not followed by two hexadecimal digits, in 'prompt=50%'."),
        ("prompt=%zz", "link has a % that is not followed by two hexadecimal digits, in 'prompt=%zz'."),
        ("prompt=%ff", "link has percent-encoded bytes that are not UTF-8, in 'prompt=%ff'."),
        ("prompt=%ed%a0%80", "link has percent-encoded bytes that are not UTF-8, in 'prompt=%ed%a0%80'."),
        ("prompt=a%00b", "prompt must not hold a control character (U+0000, character 2)."),
        ("prompt=\ud800", "prompt must not hold half of a surrogate pair (U+D800, character 1)."),
        ("seed=1&seed=2", "link must not hold 'seed' twice."),
        ("seed=1&s%65ed=2", "link must not hold 'seed' twice."),
        ("x" * 2_000_000, "link must be at most 1,200,000 characters, not 2,000,000."),
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
            "variation, variation_seed, second_share, second_prompt, base, sr256, sr1024.",
        ),
        (
            "other.seed=1",
            "other is not among the known names prompt, negative_prompt, seed, num_images, model, last_stage, "
            "variation, variation_seed, second_share, second_prompt, base, sr256, sr1024.",
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
    with pytest.raises(RecipeError, match=r"^link must be at most 1,200,000 characters, not 2,000,000\.$"):
        Recipe.from_link({"prompt": "x" * 2_000_000})


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("&".join(f"{number}=" for number in range(1001)), "link must hold at most 1,000 values, not 1,001."),
        (f"{'parent.' * 30}fork=base.0", "link must hold names of at most 200 characters, not "),
    ],
)
def test_a_link_of_too_many_or_too_long_names_is_refused_at_once(query: str, sentence: str) -> None:
    """Each name was compared with every known one, and each generation of parents read: for 20 seconds, or 2."""
    for read in (Recipe.from_link, link.decoded, lambda query: ours(parse_qsl(query, keep_blank_values=True))):
        with pytest.raises(RecipeError, match=f"^{re.escape(sentence)}"):
            read(query)
    with pytest.raises(RecipeError, match=f"^{re.escape(sentence)}"):
        Recipe.from_link(dict(parse_qsl(query, keep_blank_values=True)))


def test_nested_names_of_more_than_two_parts_are_unknown() -> None:
    assert link.nested({"base.x.y": 1, "seed": 2}) == {"base": {"x.y": 1}, "seed": 2}
    with pytest.raises(RecipeError, match=r"^base\.x\.y is not among the known names num_steps, "):
        Recipe.from_link("base.x.y=1")
