"""What the command line says, as recipes to draw; nothing here needs a model, so every mistake is told at once."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from imagen_core import link
from imagen_core.metadata import check_destination, quoted, read_limited, read_recipe
from imagen_core.presets import LOCAL, PRESETS, preset
from imagen_core.recipe import MAX_JSON_LENGTH, RULES, STAGES, Recipe, RecipeError
from imagen_core.validation import Number, Whole, shown

MAX_PROMPTS_SIZE = 10_000_000  # bytes of a file of prompts
_OPTIONS: Mapping[str, str] = {  # option: the name of its value in a recipe
    "seed": "seed",
    "num_images": "num_images",
    "negative_prompt": "negative_prompt",
    "last_stage": "last_stage",
    "guidance_scale": "base.guidance_scale",
    "steps": "base.num_steps",
}
_EPILOG = f"""\
Every setting of a stage has a name, as in --set sr256.num_steps=12:
  stages    {", ".join(STAGES)}
  settings  {", ".join(name.removeprefix("base.") for name in RULES if name.startswith("base."))}

Progress and errors go to stderr; stdout gets the path of each picture, one a line. Exit codes: 0 all pictures are
there, 1 a run or a file failed, 2 the arguments are wrong, 130 stopped with Ctrl-C. A picture is written whole or not
at all.
"""


class UsageError(ValueError):
    """Arguments that do not fit together; the text is one sentence."""


@dataclass(frozen=True)
class Request:
    """What the command line asked for.

    recipes: one per prompt. model: the preset or the folder to load. paths: per recipe, one path per image.
    prints: "recipe", "link" or both, to print these and draw nothing. quiet: no progress bar.
    """

    recipes: tuple[Recipe, ...]
    model: str
    paths: tuple[tuple[Path, ...], ...]
    prints: tuple[str, ...]
    quiet: bool


def parse(arguments: Sequence[str] | None) -> Request:
    """Read `arguments`, by default those of the process, and find out whether the pictures could be written.

    Raises `UsageError`, `RecipeError` or `MetadataError`; exits with 0 after --help.
    """
    options = _parser().parse_args(arguments)
    prompts = _prompts(options)
    start, model = _start(options.recipe, options.model)
    values = {name: getattr(options, option) for option, name in _OPTIONS.items()}
    texts = {name: text for name, text in values.items() if text is not None} | _settings(options.set)
    read = {name: RULES[name].read(text) if name in RULES else text for name, text in texts.items()}
    changed = start.updated(link.nested(read))
    recipes = []
    for where, prompt in (prompts or {"": changed.prompt}).items():
        try:
            recipes.append(changed.updated({"prompt": prompt}))
        except RecipeError as error:
            raise UsageError(f"{where}{error}") from None
    prints = tuple(name for name in ("recipe", "link") if getattr(options, f"print_{name}"))
    output = options.output
    if output is None:
        output = "again.png" if options.recipe and _same_file(options.recipe, "out.png") else "out.png"
    paths = _numbered(Path(output), [recipe.num_images for recipe in recipes])
    for path in () if prints else sum(paths, ()):
        check_destination(path)
    return Request(tuple(recipes), model, paths, prints, options.quiet)


class _Parser(argparse.ArgumentParser):
    """argparse, but a mistake is told like every other."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; --help tells more.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m imagen_core",
        description="Draw pictures from text: 64, then 256, then 1024 pixels a side.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("prompt", nargs="?", help='what to draw, as in "a red apple on a wooden table"')
    add("--output", "-o", metavar="OUT.png",
        help="the picture's file, by default out.png, or again.png where --recipe is out.png; several pictures become "
             "out-1.png, out-2.png, ...; a file that is there is replaced")  # fmt: skip
    add("--prompts", metavar="FILE", help="draw every line of a UTF-8 text file; empty lines do not count")
    add("--num-images", metavar="N", help=f"pictures per prompt, {_allowed('num_images')}; picture i has the seed + i")
    add("--seed", metavar="N", help=f"{_allowed('seed')}: the same seed and settings draw the same picture")
    add("--guidance-scale", metavar="X", help=f"how closely base follows the prompt, {_allowed('base.guidance_scale')}")
    add("--steps", "--num-steps", metavar="N", help=f"denoising steps of base, {_allowed('base.num_steps')}")
    add("--negative-prompt", metavar="TEXT", help="what to stay away from")
    add("--last-stage", metavar="STAGE", help=f"where to end: {', '.join(STAGES)}")
    add("--set", action="append", default=[], metavar="STAGE.NAME=VALUE", help="any setting of a stage, as told below")
    add("--recipe", metavar="FROM", help="begin with the recipe in a PNG made here, a JSON file or a link; all other "
        "options change it")  # fmt: skip
    add("--model", help=f"{', '.join(PRESETS)}, or a folder with weights")
    add("--print-recipe", action="store_true", help="print the recipe as JSON and draw nothing")
    add("--print-link", action="store_true", help="print the recipe as the query of a link and draw nothing")
    add("--quiet", action="store_true", help="no progress bar")
    return parser


def _allowed(name: str) -> str:
    """The range of a value and its default, for --help."""
    rule = RULES[name]
    assert isinstance(rule, Whole | Number)
    recipe = Recipe()
    stage, _, field = name.rpartition(".")
    return f"{rule.low} to {rule.high}, by default {getattr(recipe.stage(stage) if stage else recipe, field):g}"


def _prompts(options: argparse.Namespace) -> dict[str, str]:
    """Where each prompt comes from, for errors, and the prompt; empty where the recipe's own is to be drawn."""
    if options.prompts is None:
        if options.prompt is None and options.recipe is None:
            raise UsageError("There is nothing to draw: give a prompt, --prompts or --recipe; --help tells more.")
        return {} if options.prompt is None else {"": options.prompt}
    if options.prompt is not None:
        raise UsageError("Give either a prompt or --prompts, not both.")
    path = Path(options.prompts)
    try:
        lines = read_limited(path, MAX_PROMPTS_SIZE).decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise UsageError(f"{quoted(path)} is not UTF-8 text.") from None
    stripped = {number: line.strip(" \t\r") for number, line in enumerate(lines, start=1)}
    prompts = {f"Line {number} of {quoted(path)}: ": line for number, line in stripped.items() if line}
    if not prompts:
        raise UsageError(f"{quoted(path)} holds no prompt.")
    return prompts


def _start(source: str | None, model: str | None) -> tuple[Recipe, str]:
    """The recipe to begin with, and the model to load."""
    recipe = None if source is None else _recipe(source)
    if model is None:
        recipe = recipe or Recipe()
        if recipe.model == LOCAL:
            raise UsageError("The recipe was drawn with weights from a folder: give --model and that folder.")
        return recipe, preset(recipe.model).name
    if model not in PRESETS and os.path.isdir(model):
        return (recipe or Recipe()).updated({"model": LOCAL}), model
    if model not in PRESETS:
        raise UsageError(f"--model must be one of {', '.join(PRESETS)} or a folder, not {shown(model)}.")
    return (recipe.updated({"model": model}) if recipe else preset(model).recipe), model


def _recipe(source: str) -> Recipe:
    """The recipe in a PNG, a JSON file or a link."""
    if source.startswith(("http://", "https://")):
        return Recipe.from_link(urlsplit(source).query)
    if source.startswith("?"):
        return Recipe.from_link(source)
    path = Path(source)
    if not os.path.exists(source) and "=" in source:
        return Recipe.from_link(source)
    if path.suffix.lower() != ".json":
        return read_recipe(path)
    try:
        return Recipe.from_json(read_limited(path, 4 * MAX_JSON_LENGTH).decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise UsageError(f"{quoted(path)} is not UTF-8 text.") from None


def _same_file(first: str, second: str) -> bool:
    return os.path.exists(first) and os.path.exists(second) and os.path.samefile(first, second)


def _settings(pairs: Sequence[str]) -> dict[str, str]:
    """The names and texts of --set."""
    settings = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(f"--set needs STAGE.NAME=VALUE, as in sr256.num_steps=12, not {shown(pair)}.")
        settings[name] = text
    return settings


def _numbered(output: Path, counts: Sequence[int]) -> tuple[tuple[Path, ...], ...]:
    """A path for every picture: `output` itself where there is one, else out-01.png, out-02.png, ... in their order."""
    if output.suffix.lower() != ".png":
        raise UsageError(f"--output must end in .png, for only a PNG carries its recipe, not {shown(output.name)}.")
    total = sum(counts)
    if total == 1:
        return ((output,),)
    numbers = iter(range(1, total + 1))
    return tuple(
        tuple(output.with_stem(f"{output.stem}-{next(numbers):0{len(str(total))}}") for _ in range(count))
        for count in counts
    )
