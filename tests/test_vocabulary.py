"""What a model knows in words: the file, the words of a prompt that are foreign to it, surprise prompts."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from imagen_core.checkpoints import bundled_folder, load_vocabulary
from imagen_core.training.captions import caption
from imagen_core.training.scenes import compose
from imagen_core.training.vocabulary_file import trained
from imagen_core.vocabulary import Thing, Vocabulary

SMALL = Vocabulary(
    things=(Thing("bus", "buses", "", ("omnibus",)), Thing("ice cream", "ice creams", "", ())),
    colours=("red", "orange"),
    backgrounds=("on a beach",),
    relations=("above",),
    numbers=("two",),
    styles=("flat",),
    others=("style",),
)


def test_the_file_of_the_bundled_model_is_what_its_captions_are_made_of() -> None:
    assert load_vocabulary(bundled_folder()) == trained()


def test_no_training_caption_has_a_foreign_word() -> None:
    vocabulary = trained()
    for seed in range(2000):
        rng = random.Random(seed)
        text = caption(compose(rng), rng)
        assert vocabulary.foreign(text) == (), text


@pytest.mark.parametrize(
    ("prompt", "foreign"),
    [
        ("", ()),
        ("a red bus", ()),
        ("The Red OMNIBUS, please!", ()),
        ("two buses and a bus's ice cream", ()),
        ("a dragon, a Dragon and a dragon on the beaches", ("dragon", "Dragon")),
        ("iced creams", ("iced",)),
        ("ein Bär, 犬 42", ("ein", "Bär")),
        ("naïve Ёж bus", ("naïve",)),
        ("x" * 500, ("x" * 40,)),
    ],
)
def test_foreign_words_are_those_that_no_caption_held(prompt: str, foreign: tuple[str, ...]) -> None:
    assert SMALL.foreign(prompt) == foreign


def test_surprise_says_only_what_is_known_and_uses_all_of_it() -> None:
    said = [SMALL.surprise(random.Random(seed)) for seed in range(400)]
    assert not [text for text in said if SMALL.foreign(text)]
    for words in ("a bus", "an ice cream", "an orange bus", "two buses", "bus above an ice cream", "on a beach"):
        assert any(words in text for text in said), words
    assert not any("style" in text for text in said)  # there is but one
    styled = replace(SMALL, styles=("flat", "3d", "pixel art"))
    endings = {styled.surprise(random.Random(seed)).partition(", ")[2] for seed in range(400)}
    assert endings == {"", "3d style", "pixel art style"}
    bare = replace(SMALL, things=SMALL.things[:1], colours=(), backgrounds=(), relations=(), numbers=())
    assert {bare.surprise(random.Random(seed)) for seed in range(50)} == {"a bus"}


def test_json_there_and_back() -> None:
    assert Vocabulary.from_json(SMALL.to_json()) == SMALL


@pytest.mark.parametrize(
    "change",
    [
        {"things": []},
        {"things": [{"noun": "bus"}]},
        {"things": [{"noun": "bus", "plural": 3, "colour": "", "synonyms": []}]},
        {"things": "bus"},
        {"colours": "red"},
        {"colours": [1]},
        {"more": []},
    ],
)
def test_another_shape_is_refused(change: dict[str, object]) -> None:
    values = json.loads(SMALL.to_json()) | change
    with pytest.raises(ValueError, match=r"it |is no list|must hold"):
        Vocabulary.from_json(json.dumps(values))
    with pytest.raises(ValueError, match="Expecting"):
        Vocabulary.from_json("{")
    with pytest.raises(ValueError, match="nested too deeply"):
        Vocabulary.from_json("[" * 100_000)
