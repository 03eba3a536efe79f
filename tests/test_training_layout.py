"""Layouts of scenes and the tokens that speak of them, against the scenes and captions themselves."""

from __future__ import annotations

import random

import torch

from imagen_core.training.captions import worded
from imagen_core.training.layout import GRID, layout, token_groups
from imagen_core.training.scenes import Placed, Scene, compose
from imagen_core.training.sprites import Concept
from tests.caption_language import OTHER_COLOURS
from tests.conftest import tiny_text_encoder

APPLE, BEAR = (Concept(name, name, f"{name}s", "", ()) for name in ("apple", "bear"))


def test_a_place_belongs_to_the_thing_in_front() -> None:
    behind, front = Placed(APPLE, "", 0.4, 0.5, 0.4, 0.0), Placed(BEAR, "", 0.6, 0.5, 0.4, 0.0)
    shown = layout(Scene((behind, front), "flat", "white", "left"))
    assert shown.shape == (GRID, GRID)
    assert shown[8, 4] == 1
    assert shown[8, 8] == 2  # both reach here
    assert shown[0, 0] == shown[15, 15] == shown[8, 15] == 0


def test_all_of_a_group_have_its_number() -> None:
    row = [Placed(APPLE, "red", x, 0.25, 0.28, 0.0) for x in (0.2, 0.5, 0.8)]
    shown = layout(Scene((*row, Placed(BEAR, "", 0.5, 0.75, 0.4, 0.0)), "flat", "white", "above"))
    assert [int(shown[4, int(x * GRID)]) for x in (0.2, 0.5, 0.8)] == [1, 1, 1]
    assert shown[12, 8] == 2


def test_the_spans_of_a_caption_hold_just_what_it_says_of_each_group() -> None:
    for seed in range(400):
        rng = random.Random(seed)
        scene = compose(rng)
        said = worded(scene, rng)
        assert len(said.spans) == len(scene.groups)
        for (thing, count), spans in zip(scene.groups, said.spans, strict=True):
            words = " ".join(said.text[start:end] for start, end in spans)
            concept = thing.concept
            names = {concept.plural} if count > 1 else {concept.noun, *concept.synonyms}
            assert any(name in words for name in names), (said.text, words)
            colours = {thing.colour, *(word for word, meant in OTHER_COLOURS.items() if meant == thing.colour)}
            assert any(colour in words for colour in colours), words
            others = {other.concept.noun for other, _ in scene.groups if other is not thing} - colours  # an orange door
            assert not any(f" {other} " in f" {words} " for other in others if other not in concept.noun), words


def test_tokens_speak_of_the_group_whose_words_they_are_made_of() -> None:
    encoder = tiny_text_encoder()
    for seed in range(100):
        rng = random.Random(seed)
        said = worded(compose(rng), rng)
        spans = encoder.spans(said.text)
        groups = token_groups(said, spans)
        assert len(groups) == len(spans) == int(encoder.encode(said.text).mask.sum())
        assert groups[-1] == 0  # the end of the text
        for number, own in enumerate(said.spans, start=1):
            covered = {place for start, end in own for place in range(start, end) if said.text[place] != " "}
            mine = [spans[token] for token in torch.nonzero(groups == number).flatten().tolist()]
            mine = [(start, end) for start, end in mine if said.text[start:end].strip()]  # not a lone space
            reached = {place for start, end in mine for place in range(start, end) if said.text[place] != " "}
            assert covered <= reached, said.text
            assert all(any(place in covered for place in range(start, end)) for start, end in mine), said.text
