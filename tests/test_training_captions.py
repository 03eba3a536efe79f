"""Captions: every clause is true of its scene, and what is held out never comes."""

from __future__ import annotations

import itertools
from collections import Counter
from statistics import fmean

from imagen_core.training.scenes import STYLES, Placed, Scene, held_out
from tests.caption_language import COLOURS, MEANT, NUMBERS, PLACES, PLAIN, RELATIONS
from tests.caption_reading import drawn, icon_of_noun, own_colour, parse, table


def test_every_clause_of_every_caption_is_true_of_its_scene() -> None:
    for scene, text in drawn(1000):
        reading = parse(text)
        assert reading.style == scene.style or (not reading.style and scene.style == STYLES[0]), text
        assert reading.background == scene.background or (not reading.background and scene.background == "white"), text
        assert not reading.relation or scene.relation in MEANT[reading.relation], text
        assert bool(reading.relation) == (bool(scene.relation) and not reading.loose), text
        assert all(thing.colour != scene.background for thing in scene.things), text  # it could not be seen
        assert len(reading.things) == (2 if scene.relation else 1), text
        groups = {group[0].concept.icon: list(group) for group in in_groups(scene)}
        assert reading.loose or [icon_of_noun()[said.noun] for said in reading.things] == list(groups), text
        alone = scene.things[0].size if len(scene.things) == 1 else 0.5
        assert reading.things[0].size == ("small" if alone < 0.45 else "big" if alone > 0.85 else ""), text
        assert not any(said.size for said in reading.things[1:]), text
        for said in reading.things:
            thing, *alike = groups[icon_of_noun()[said.noun]]
            if said.article or reading.loose:
                assert len(alike) + 1 == NUMBERS[said.article], text
            else:
                assert alike, text  # a plural without its number
            assert {(other.concept, other.colour) for other in alike} <= {(thing.concept, thing.colour)}, text
            row = table()[thing.concept.icon]
            plural = bool(alike)
            assert said.noun == row["plural"] if plural else said.noun in (row["noun"], *row["synonyms"].split(";"))
            if thing.colour:  # a colour that the thing does not have of itself is always said
                assert said.colour == thing.colour != own_colour(thing.concept.icon), text
            else:
                assert said.colour in ("", own_colour(thing.concept.icon)), text


def in_groups(scene: Scene) -> list[list[Placed]]:
    """The things of a kind, which follow each other."""
    return [list(group) for _, group in itertools.groupby(scene.things, key=lambda thing: thing.concept.icon)]


def test_people_also_write_lists_of_words_bare_plurals_and_full_stops() -> None:
    texts = [text for _, text in drawn(3000)]
    assert 0.05 < sum(parse(text).loose for text in texts) / 3000 < 0.11
    sentences = [reading for reading in map(parse, texts) if not reading.loose]
    plural = [said for reading in sentences for said in reading.things if NUMBERS[said.article] > 1 or not said.article]
    assert 0.06 < sum(not said.article for said in plural) / len(plural) < 0.14
    assert all(text == text.lower() for text in texts)
    assert 0.03 < sum(text.endswith(".") for text in texts) / 3000 < 0.07
    first_said = {parse(text).things[0].noun == text.split(",")[0] for text in texts if parse(text).loose}
    assert first_said == {True, False}  # in any order


def test_relations_hold_by_geometry_and_things_stay_in_the_picture() -> None:
    for scene, text in drawn(1000):
        for thing in scene.things:
            assert thing.size / 2 <= min(thing.x, thing.y, 1 - thing.x, 1 - thing.y), text
            assert abs(thing.angle) <= 6, text  # a turn takes no more than the corners out of the picture
        for a, b in itertools.combinations(scene.things, 2):
            distance = max(abs(a.x - b.x), abs(a.y - b.y))
            assert distance > 0.85 * (a.size + b.size) / 2, text  # hardly any overlap, so things can be counted
        if scene.relation:
            icon = scene.things[0].concept.icon
            first, second = (
                [(t.x, t.y) for t in scene.things if (t.concept.icon == icon) is own] for own in (True, False)
            )
            (ax, ay), (bx, by) = (tuple(map(fmean, zip(*places, strict=True))) for places in (first, second))
            along, across = (bx - ax, by - ay) if scene.relation in ("left", "right") else (by - ay, bx - ax)
            assert abs(across) < along * {"left": 1, "right": -1, "above": 1, "below": -1}[scene.relation] / 2, text
            for (ax, ay), (bx, by) in itertools.product(first, second):  # and of each with each
                held = {"left": bx - ax, "right": ax - bx, "above": by - ay, "below": ay - by}
                assert held[scene.relation] > 0.3, text


def test_all_that_captions_can_say_is_said() -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for scene, text in drawn(3000):
        reading = parse(text)
        seen.update(
            {
                ("style", reading.style),
                ("background", reading.background),
                ("shown", scene.background),
                ("relation", reading.relation),
                *(("article", said.article) for said in reading.things),
                *(("colour", said.colour) for said in reading.things),
                *(("size", said.size) for said in reading.things),
                *(("icon", thing.concept.icon) for thing in scene.things),
            }
        )

    def words(kind: str) -> set[str]:
        return {word for key, word in seen if key == kind}

    assert words("style") == {"", *STYLES}
    assert words("shown") == PLAIN | set(PLACES.values())
    assert words("background") == {"", *words("shown")}
    assert words("relation") == {"", *MEANT}
    assert words("size") == {"", "small", "big"}
    assert words("article") == set(NUMBERS)
    assert words("colour") == {"", *COLOURS}
    assert words("icon") == set(table())
    assert 0.3 < seen["style", ""] / 3000 < 0.6


def test_the_last_synonym_of_a_noun_is_never_trained_on_and_the_others_are() -> None:
    said = {thing.noun for _, text in drawn(25_000) for thing in parse(text).things}
    rows = [row["synonyms"].split(";") for row in table().values() if row["synonyms"]]
    kept_back = {synonyms[-1] for synonyms in rows if len(synonyms) > 1}
    assert len(kept_back) >= 10
    assert not said & kept_back
    assert said >= {synonym for synonyms in rows for synonym in synonyms} - kept_back


def combinations(scene: Scene) -> set[tuple[str, ...]]:
    """The combinations of words that a scene trains."""
    icons = [thing.concept.icon for thing in scene.things]
    found: set[tuple[str, ...]] = set()
    if scene.style != STYLES[0]:  # what is held out of the first style would be kept from training as a thing
        found |= {("style", icon, scene.style) for icon in icons}
    found |= {("colour", thing.concept.icon, thing.colour) for thing in scene.things if thing.colour}
    if scene.relation:
        found.add(("relation", icons[0], scene.relation, icons[-1]))
    found |= {("count", icon, str(count)) for icon, count in Counter(icons).items() if count > 1}
    return found


def test_held_out_combinations_never_come_and_all_others_do() -> None:
    trained = {words for scene, _ in drawn(50_000) for words in combinations(scene)}
    assert not [words for words in trained if held_out(*words)]
    styles = {("style", icon, style) for icon in table() for style in STYLES[1:]}
    counts = {("count", icon, number) for icon in table() for number in "234"}
    colours = {("colour", icon, colour) for icon in table() for colour in COLOURS if colour != own_colour(icon)}
    missing = {words for words in styles | counts | colours if not held_out(*words)} - trained
    assert not missing & (styles | counts)
    assert len(missing) < 5  # 9 of each colour are to be expected, so one or two may not come by chance


def test_a_tenth_is_held_out_and_no_word_as_a_whole() -> None:
    kinds = {
        "style": [(icon, style) for icon in table() for style in STYLES],
        "colour": [(icon, colour) for icon in table() for colour in COLOURS],
        "count": [(icon, number) for icon in table() for number in "234"],
        "relation": [(a, relation, b) for a in table() for b in table() for relation in RELATIONS if a != b],
    }
    for kind, pairs in kinds.items():
        out = [pair for pair in pairs if held_out(kind, *pair)]
        assert 0.05 < len(out) / len(pairs) < 0.15, kind
        for word in {word for pair in pairs for word in pair}:
            assert any(word in pair for pair in set(pairs) - set(out)), (kind, word)


def test_what_is_held_out_never_changes() -> None:
    """Weights that were measured on held-out combinations stay comparable only while these are the same."""
    assert held_out("style", "turtle", "cartoon")
    assert not held_out("style", "turtle", "flat")
    assert held_out("colour", "red-apple", "black")
    assert not held_out("colour", "red-apple", "blue")
    assert [held_out("count", "star", number) for number in "234"] == [True, False, False]
    assert held_out("relation", "house", "below", "star")
    assert not held_out("relation", "star", "below", "house")


def test_a_seed_gives_one_scene_and_one_caption() -> None:
    assert list(drawn(50)) == list(drawn(50))
    assert len({text for _, text in drawn(50)}) > 45
