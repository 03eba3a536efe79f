"""Writes a model folder's vocabulary.json: `python -m imagen_core.training.vocabulary_file`."""

from __future__ import annotations

import argparse
from pathlib import Path

from imagen_core.checkpoints import VOCABULARY, bundled_folder
from imagen_core.shards import write_manifest
from imagen_core.training.caption_words import (
    BACKGROUND_WORDS,
    BIG_WORDS,
    FILLERS,
    OTHER_BACKGROUND_WORDS,
    OTHER_COLOUR_WORDS,
    OTHER_RELATION_WORDS,
    OTHER_STYLE_WORDS,
    PICTURES,
    POSTURES,
    SMALL_WORDS,
    VAGUE_NUMBERS,
)
from imagen_core.training.colours import COLOURS
from imagen_core.training.scenes import NUMBERS, RELATIONS, STYLES
from imagen_core.training.sprites import concepts
from imagen_core.vocabulary import Thing, Vocabulary

OTHERS = (
    "style",
    "background",
    *PICTURES,
    *SMALL_WORDS,
    *BIG_WORDS,
    *FILLERS,
    *VAGUE_NUMBERS,
    *(words for many in OTHER_STYLE_WORDS.values() for words in many),
    *(words for many in OTHER_COLOUR_WORDS.values() for words in many),
    *dict.fromkeys(words for many in POSTURES.values() for words in many),
    *(words for many in OTHER_RELATION_WORDS.values() for words in many),
    *(words for many in OTHER_BACKGROUND_WORDS.values() for words in many),
)


def trained() -> Vocabulary:
    """The words that the captions of `scenes.py` are made of."""
    return Vocabulary(
        tuple(Thing(concept.noun, concept.plural, concept.colour, concept.synonyms) for concept in concepts()),
        COLOURS,
        tuple(BACKGROUND_WORDS.values()),
        tuple(RELATIONS.values()),
        tuple(NUMBERS.values()),
        STYLES,
        OTHERS,
    )


def write(folder: Path) -> Path:
    """Write the file and its entry in the manifest."""
    path = folder / VOCABULARY
    path.write_text(trained().to_json(), encoding="utf-8")
    write_manifest(folder, [path])
    return path


def main() -> None:
    """Write the file of the bundled model, or of another folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=bundled_folder(), help="model folder")
    print(write(parser.parse_args().output))


if __name__ == "__main__":
    main()
