"""The prompts of the evaluation: what they say is what their scenes show, and what is held out is."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from dataclasses import replace

import pytest

from imagen_core.training.prompts import SPLITS, TASKS, Prompt, Said, held_out_relations, prompts
from imagen_core.training.scenes import RELATIONS, STYLES, held_out, is_held_out
from imagen_core.training.sprites import Concept, concepts
from imagen_core.training.truth import Found, Reading, holds, reading_of, true_scene
from tests.caption_language import MEANT
from tests.caption_reading import icon_of_noun, joined, parse

ALL = [(task, split) for task in TASKS for split in SPLITS]


def concept(noun: str) -> Concept:
    return next(concept for concept in concepts() if concept.noun == noun)


@pytest.mark.parametrize(("task", "split"), ALL)
def test_every_clause_of_a_prompt_is_true_of_its_scene(task: str, split: str) -> None:
    """The text is read by the parser that reads captions, which knows nothing of how prompts are made."""
    rng = random.Random(0)
    for prompt in prompts(task, split, 60, seed=3):
        scene = true_scene(prompt, rng)
        parts = [part.replace("_", " ") for part in joined(prompt.text).split(" and ")]
        readings = [parse(part) for part in parts]
        said = [thing for reading in readings for thing in reading.things]
        shown = scene.things if len(said) == 2 else scene.things[:1]
        assert len(parts) == (2 if task in ("two_objects", "colour_binding") else 1)
        for word, thing in zip(said, shown, strict=True):
            assert icon_of_noun()[word.noun] == thing.concept.icon, prompt.text
            if word.colour:
                assert word.colour == (thing.colour or thing.concept.colour), prompt.text
            else:
                assert not thing.colour, prompt.text
        if len(said) == 1:
            assert len(scene.things) == {"a": 1, "an": 1, "two": 2, "three": 3, "four": 4}[said[0].article], prompt.text
        for reading in readings:
            assert reading.style in ("", scene.style), prompt.text
            assert reading.background in ("", scene.background), prompt.text
            assert not reading.relation or scene.relation in MEANT[reading.relation], prompt.text
        assert all(thing.colour != scene.background for thing in scene.things), prompt.text
        assert holds(prompt, reading_of(scene)), prompt.text


def test_what_is_held_out_was_never_trained_on_and_what_is_seen_was() -> None:
    for task, split in ALL:
        unseen = split == "held_out"
        for prompt in prompts(task, split, 60, seed=5):
            icons = [said.concept.icon for said in prompt.things]
            if task in ("single", "background"):
                noun, synonyms = prompt.things[0].noun, prompt.things[0].concept.synonyms
                assert (len(synonyms) > 1 and noun == synonyms[-1]) == unseen, prompt.text
            elif task == "two_objects":
                hidden = [held_out("relation", icons[0], relation, icons[1]) for relation in RELATIONS]
                assert sum(hidden) >= 3 if unseen else not any(hidden), prompt.text
            else:
                # The scene leaves open what the prompt does; its own colours and white ground are never held out.
                scene = true_scene(prompt, random.Random(1))
                if task == "colour_binding":
                    assert not any(held_out("relation", icons[0], relation, icons[1]) for relation in RELATIONS)
                assert is_held_out(scene) == unseen, prompt.text


def test_so_many_pairs_are_held_out_as_the_readme_says() -> None:
    pairs = list(itertools.permutations(concepts(), 2))
    assert len(pairs) == 89700
    assert sum(held_out_relations(first, second) >= 3 for first, second in pairs) == 324


def test_the_same_arguments_give_the_same_prompts_and_others_give_others() -> None:
    assert prompts("position", "seen", 20, 1) == prompts("position", "seen", 20, 1)
    assert prompts("position", "seen", 20, 1) != prompts("position", "seen", 20, 2)
    assert prompts("position", "seen", 20, 1) == prompts("position", "seen", 40, 1)[:20]


def test_prompts_are_of_all_kinds() -> None:
    """Every count, relation and style comes, and no thing is preferred."""
    counted = Counter(prompt.things[0].count for prompt in prompts("counting", "seen", 90, 0))
    assert set(counted) == {2, 3, 4}
    assert min(counted.values()) > 15
    assert {prompt.relation for prompt in prompts("position", "held_out", 60, 0)} == set(RELATIONS)
    assert {prompt.style for prompt in prompts("style", "seen", 40, 0)} == set(STYLES)
    assert len({prompt.things[0].concept.icon for prompt in prompts("colours", "seen", 60, 0)}) > 30


def seen(*things: tuple[str, str, float, float], style: str = "flat", background: str = "white") -> Reading:
    found = [Found(concept(noun).icon, colour, x, y, 0.4) for noun, colour, x, y in things]
    return Reading(tuple(found), style, background)


CAT, DOG = Said(concept("cat"), "cat"), Said(concept("dog"), "dog")


def test_just_the_things_that_were_asked_for() -> None:
    prompt = Prompt("a cat and a dog", (CAT, DOG))
    cat, dog, car = ("cat", "", 0.2, 0.5), ("dog", "", 0.8, 0.5), ("car", "", 0.5, 0.2)
    assert holds(prompt, seen(cat, dog))
    assert holds(prompt, seen(dog, cat))
    for wrong in ([cat], [cat, cat], [cat, dog, dog], [cat, dog, car], []):
        assert not holds(prompt, seen(*wrong)), wrong


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_as_many_as_were_asked_for(count: int) -> None:
    prompt = Prompt("three cats", (replace(CAT, noun="cats", count=3),))
    assert holds(prompt, seen(*[("cat", "", 0.1 * k, 0.5) for k in range(count)])) == (count == 3)


def test_each_thing_has_its_own_colour() -> None:
    """An apple is red of itself and needs no paint for it; colours do not change places."""
    apple, car = Said(concept("apple"), "apple", "red"), Said(concept("car"), "car", "blue")
    prompt = Prompt("a red apple and a blue car", (apple, car))
    assert holds(prompt, seen(("apple", "", 0.2, 0.5), ("car", "blue", 0.8, 0.5)))
    assert holds(prompt, seen(("apple", "red", 0.2, 0.5), ("car", "blue", 0.8, 0.5)))
    assert not holds(prompt, seen(("apple", "blue", 0.2, 0.5), ("car", "red", 0.8, 0.5)))
    assert not holds(prompt, seen(("apple", "", 0.2, 0.5), ("car", "", 0.8, 0.5)))
    three = Prompt("two blue cars", (replace(car, noun="cars", count=2),))
    assert not holds(three, seen(("car", "blue", 0.2, 0.5), ("car", "", 0.8, 0.5)))


@pytest.mark.parametrize(
    ("relation", "cat"), [("left", (0.2, 0.5)), ("right", (0.8, 0.5)), ("above", (0.5, 0.2)), ("below", (0.5, 0.8))]
)
def test_where_it_was_asked_for(relation: str, cat: tuple[float, float]) -> None:
    """The dog is in the middle; the same things elsewhere, or level with each other, are wrong."""
    for asked in RELATIONS:
        prompt = Prompt(f"a cat {RELATIONS[asked]} a dog", (CAT, DOG), asked)
        assert holds(prompt, seen(("cat", "", *cat), ("dog", "", 0.5, 0.5))) == (asked == relation)
        assert not holds(prompt, seen(("cat", "", 0.51, 0.51), ("dog", "", 0.5, 0.5)))


def test_style_and_background_count_where_they_are_said() -> None:
    cat = ("cat", "", 0.5, 0.5)
    assert holds(Prompt("a cat", (CAT,)), seen(cat, style="cartoon", background="beach"))
    assert holds(Prompt("", (CAT,), style="cartoon"), seen(cat, style="cartoon"))
    assert not holds(Prompt("", (CAT,), style="cartoon"), seen(cat))
    assert holds(Prompt("", (CAT,), background="beach"), seen(cat, background="beach"))
    assert not holds(Prompt("", (CAT,), background="beach"), seen(cat))
