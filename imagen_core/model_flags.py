"""The flags that say how a large model is loaded, the same on the command line and for the page."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from types import MappingProxyType

from imagen_core.checkpoint_error import CheckpointError
from imagen_core.deepfloyd_options import Options
from imagen_core.model_names import ModelName
from imagen_core.validation import shown

# The flag of each value of `Options`: who typed one reads its name in an error.
_FLAGS: Mapping[str, str] = MappingProxyType(
    {"revisions": "--revision", "eight_bit": "--eight-bit", "clean_caption": "--clean-caption"}
)


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """Add --revision, --eight-bit and --clean-caption."""
    add = parser.add_argument
    add("--revision", action="append", default=[], type=_revision, metavar="REPOSITORY=COMMIT",
        help="of a DeepFloyd model: what to fetch of one of its repositories, instead of the newest")  # fmt: skip
    add("--eight-bit", action="store_true", help="of a DeepFloyd model: T5 in 8 bits, with bitsandbytes")
    add("--clean-caption", action="store_true", help="of a DeepFloyd model: clean prompts as its captions were")


def read_options(given: argparse.Namespace, model: ModelName) -> Options:
    """What these flags say of how `model` is loaded.

    Raises:
        CheckpointError: a repository has two revisions, or as `Options.check`.
    """
    revisions: dict[str, str] = {}
    for repository, revision in given.revision:
        if repository in revisions:
            raise CheckpointError(f"--revision must not name {shown(repository)} twice.")
        revisions[repository] = revision
    options = Options(revisions, given.eight_bit, given.clean_caption)
    options.check(model, _FLAGS)
    return options


def _revision(text: str) -> tuple[str, str]:
    repository, _, revision = text.partition("=")
    if not repository or not revision:
        raise argparse.ArgumentTypeError(f"must be REPOSITORY=COMMIT, not {shown(text)}")
    return repository, revision
