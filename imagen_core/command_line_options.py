"""The options of the command line, and what --help says of them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import NoReturn

from imagen_core.model_flags import add_model_flags
from imagen_core.presets import PRESETS
from imagen_core.recipe import RULES, STAGES, Recipe
from imagen_core.validation import Number, Whole

RECIPE_OPTIONS: Mapping[str, str] = {  # option: the name of its value in a recipe
    "seed": "seed",
    "num_images": "num_images",
    "negative_prompt": "negative_prompt",
    "last_stage": "last_stage",
    "guidance_scale": "base.guidance_scale",
    "steps": "base.num_steps",
    "variation": "variation",
    "variation_seed": "variation_seed",
    "second_share": "second_share",
    "second_prompt": "second_prompt",
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


class _Parser(argparse.ArgumentParser):
    """argparse, but a mistake is told like every other."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; --help tells more.")


def parser() -> argparse.ArgumentParser:
    """The parser of the command line; a mistake is a `UsageError`."""
    options = _Parser(
        prog="python -m imagen_core",
        description="Draw pictures from text: 64, then 256, then 1024 pixels a side.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = options.add_argument
    add("prompt", nargs="?", help='what to draw, as in "a red apple on a wooden table"')
    add("--output", "-o", metavar="OUT.png",
        help="the picture's file, by default out.png, or again.png where --recipe is out.png; several pictures become "
             "out-1.png, out-2.png, ...; a file that is there is replaced")  # fmt: skip
    add("--prompts", metavar="FILE", help="draw every line of a UTF-8 text file or a pipe; empty lines do not count")
    add("--num-images", metavar="N", help=f"pictures per prompt, {_allowed('num_images')}; picture i has the seed + i")
    add("--seed", metavar="N", help=f"{_allowed('seed')}: the same seed and settings draw the same picture")
    add("--guidance-scale", metavar="X", help=f"how closely base follows the prompt, {_allowed('base.guidance_scale')}")
    add("--steps", "--num-steps", metavar="N", help=f"denoising steps of base, {_allowed('base.num_steps')}")
    add("--negative-prompt", metavar="TEXT", help="what to stay away from")
    add(
        "--variation",
        metavar="SHARE",
        help="how much of another seed's noise, 0 to 1; with --num-images that many neighbours of one picture",
    )
    add("--variation-seed", metavar="SEED", help="that other seed; with --variation or a sweep of it")
    add("--second-share", metavar="SHARE", help="how far on the way to another prompt, 0 to 1")
    add("--second-prompt", metavar="TEXT", help="that other prompt; with --second-share or a sweep of it")
    add("--last-stage", metavar="STAGE", help=f"where to end: {', '.join(STAGES)}")
    add("--set", action="append", default=[], metavar="STAGE.NAME=VALUE",
        help="any setting of a stage, as told below; nothing behind the = takes away a stage's own prompt or seed, and "
             "fork= the fork of --recipe")  # fmt: skip
    add("--sweep", action="append", default=[], metavar="NAME=VALUES",
        help="draw a sheet instead, with a picture for each value, as in base.guidance_scale=1,2,4 or seed=1..9 or "
             "prompt='a {red|blue} apple'; the first goes along a row, a second down; its pictures have 256 pixels and "
             "are drawn no larger, unless sr1024 is varied or --last-stage is given")  # fmt: skip
    add("--recipe", metavar="FROM", help="begin with the recipe in a PNG made here, a JSON file or a link, or with the "
        "sweep in a sheet; all other options change it")  # fmt: skip
    add("--fork", metavar="STAGE.STEP",
        help="keep so many steps of a stage of --recipe, as in base.7; all other options but --num-images and "
             "--model change what comes behind them")  # fmt: skip
    add("--model", help=f"{', '.join(PRESETS)}, a repository (owner/name), or a folder with weights")
    add_model_flags(options)
    add("--print-recipe", action="store_true", help="print the recipe as JSON and draw nothing")
    add("--print-link", action="store_true", help="print the recipe as the query of a link and draw nothing")
    add("--quiet", action="store_true", help="no progress bar")
    return options


def _allowed(name: str) -> str:
    """The range of a value and its default, for --help."""
    rule = RULES[name]
    assert isinstance(rule, Whole | Number)
    recipe = Recipe()
    stage, _, field = name.rpartition(".")
    return f"{rule.low} to {rule.high}, by default {getattr(recipe.stage(stage) if stage else recipe, field):g}"
