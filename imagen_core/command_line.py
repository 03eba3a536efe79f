"""What the command line says, as recipes to draw; nothing here needs a model, so every mistake is told at once."""

from __future__ import annotations

import argparse
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagen_core import link
from imagen_core.check import Shared
from imagen_core.command_line_options import RECIPE_OPTIONS, UsageError, parser
from imagen_core.deepfloyd_options import Options
from imagen_core.metadata import check_destination, quoted, read_limited
from imagen_core.model_flags import read_options
from imagen_core.model_names import ModelName, allowed_names, model_named
from imagen_core.presets import LOCAL, preset
from imagen_core.recipe import RULES, Recipe, RecipeError
from imagen_core.recipe_source import Source, read_source
from imagen_core.stage_recipe import STAGE_RULES
from imagen_core.sweep import Sweep
from imagen_core.sweep_axis import FIELDS, Axis, least_shares
from imagen_core.validation import shown

MAX_PROMPTS = 10_000  # of a file; each is checked, and its picture's path, before the first is drawn
MAX_PROMPTS_SIZE = 1_000 * MAX_PROMPTS  # bytes
_FORK = "fork"


@dataclass(frozen=True)
class Request:
    """What the command line asked for.

    recipes: one per prompt. model: the preset or the folder to load; options: how. paths: per recipe, one path per
    image. prints: "recipe", "link" or both, to print these and draw nothing. quiet: no progress bar. shared: what the
    picture was whose recipe is drawn again, where that is known. sweep: to draw its sheet, at the first path, instead.
    whole_cells: the sweep's cells are drawn to their last stage, even where the sheet shows less.
    """

    recipes: tuple[Recipe, ...]
    model: str
    options: Options
    paths: tuple[tuple[Path, ...], ...]
    prints: tuple[str, ...]
    quiet: bool
    shared: Shared | None = None
    sweep: Sweep | None = None
    whole_cells: bool = False


def parse(arguments: Sequence[str] | None) -> Request:
    """Read `arguments`, by default those of the process, and find out whether the pictures could be written.

    Raises `UsageError`, `RecipeError`, `MetadataError` or `CheckpointError`; exits with 0 after --help.
    """
    options = parser().parse_args(arguments)
    prompts = _prompts(options)
    source = Source() if options.recipe is None else read_source(options.recipe)
    start, model = _start(source.recipe, options.model)
    loading = read_options(options, model)
    values = {name: getattr(options, option) for option, name in RECIPE_OPTIONS.items()}
    texts = {name: text for name, text in values.items() if text is not None} | _settings(options.set)
    read = {name: RULES[name].read(text) if name in RULES else text for name, text in texts.items()}
    if _FORK in read:  # `_settings` lets pass that there is none, and nothing else
        read[_FORK] = None
    axes = _axes(options.sweep)
    for name, share in least_shares(axes or source.axes).items():
        read[name] = read.get(name) or getattr(start, name) or share
    changed = _changed(start, options, link.nested(read))
    _check_ends(changed, read)
    recipes = []
    for where, prompt in (prompts or {"": changed.prompt}).items():
        try:
            recipes.append(changed.updated({"prompt": prompt}))
        except RecipeError as error:
            raise UsageError(f"{where}{error}") from None
    sweep = _sweep(axes or source.axes, recipes)
    prints = tuple(name for name in ("recipe", "link") if getattr(options, f"print_{name}"))
    output = options.output
    if output is None:
        output = "again.png" if options.recipe and _same_file(options.recipe, "out.png") else "out.png"
    paths = _numbered(Path(output), [1] if sweep else [recipe.num_images for recipe in recipes])
    if not prints:
        _check_destinations([path for of_recipe in paths for path in of_recipe])
    whole_cells = options.last_stage is not None
    return Request(
        tuple(recipes), model.source, loading, paths, prints, options.quiet, source.shared, sweep, whole_cells
    )


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
        lines = read_limited(path, MAX_PROMPTS_SIZE, pipes=True).decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise UsageError(f"{quoted(path)} is not UTF-8 text.") from None
    stripped = {number: line.strip(" \t\r") for number, line in enumerate(lines, start=1)}
    prompts = {f"Line {number} of {quoted(path)}: ": line for number, line in stripped.items() if line}
    if not prompts:
        raise UsageError(f"{quoted(path)} holds no prompt.")
    if len(prompts) > MAX_PROMPTS:
        raise UsageError(f"{quoted(path)} holds {len(prompts):,} prompts where {MAX_PROMPTS:,} are allowed: divide it.")
    return prompts


def _start(recipe: Recipe | None, model: str | None) -> tuple[Recipe, ModelName]:
    """The recipe to begin with, that which was given or a default, and the model to load."""
    if model is None:
        of_recipe = (recipe or Recipe()).model
        if of_recipe == LOCAL:
            raise UsageError("The recipe was drawn with weights from a folder: give --model and that folder.")
        model = preset(of_recipe).name
    known = model_named(model)
    if known is None:
        raise UsageError(f"--model must be one of {allowed_names()} or a folder, not {shown(model)}.")
    return (recipe.updated({"model": known.recipe.model}) if recipe else known.recipe), known


def _same_file(first: str, second: str) -> bool:
    return os.path.exists(first) and os.path.exists(second) and os.path.samefile(first, second)


def _changed(start: Recipe, options: argparse.Namespace, changes: Mapping[str, object]) -> Recipe:
    """`start` with `changes`, from its first step on or from that of --fork."""
    if options.fork is None:
        return start.updated(changes)
    if options.recipe is None:
        raise UsageError("--fork leaves a recipe at a step: give that one as --recipe.")
    stage, step, history = link.fork_place(options.fork)
    return start.forked(stage, step, changes, history)


def _settings(pairs: Sequence[str]) -> dict[str, str]:
    """The names and texts of --set."""
    settings = dict(_named("--set", "STAGE.NAME=VALUE, as in sr256.num_steps=12", pairs))
    if settings.get(_FORK):
        raise UsageError(f"--set {_FORK}= drops a fork; to make one write --fork, as in --fork base.7.")
    return settings


def _named(flag: str, form: str, pairs: Sequence[str]) -> list[tuple[str, str]]:
    """The names of a recipe's values and the texts behind them that a flag was given."""
    found = []
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or name.count(".") > 1:
            raise UsageError(f"{flag} needs {form}, not {shown(pair)}.")
        if name in STAGE_RULES and name not in RULES:
            *others, last = [known for known in FIELDS if known.partition(".")[2] == name]
            raise UsageError(f"{flag} needs the stage of {name}, too: write {', '.join(others)} or {last}.")
        found.append((name, text))
    return found


def _check_ends(recipe: Recipe, read: Mapping[str, object]) -> None:
    """Refuse another seed or prompt, among what was read, of which the recipe takes no share: it would do nothing."""
    for end, share in (("variation_seed", "variation"), ("second_prompt", "second_share")):
        given = read.get(end) not in (None, "")
        if given and share not in read and getattr(recipe, share) == 0:
            flag = f"--{share.replace('_', '-')}"
            raise UsageError(f"{end} needs a share of it: give {flag} too, above 0 and up to 1.")


def _axes(texts: Sequence[str]) -> tuple[Axis, ...]:
    """Those of --sweep."""
    pairs = _named("--sweep", "NAME=VALUES, as in base.guidance_scale=1,2,4 or seed=1..9", texts)
    return tuple(Axis.of(name, values) for name, values in pairs)


def _sweep(axes: tuple[Axis, ...], recipes: Sequence[Recipe]) -> Sweep | None:
    """The sweep along `axes`, those of --sweep or of a sheet, where there are any."""
    if not axes:
        return None
    if len(recipes) > 1:
        raise UsageError("--sweep varies one recipe: give one prompt, others as --sweep prompt='a {red|blue} apple'.")
    if recipes[0].fork is not None or recipes[0].num_images > 1:
        what = "a fork" if recipes[0].fork is not None else "several images"
        raise UsageError(f"--sweep varies a recipe of one image that is no fork, and this one is of {what}.")
    return Sweep(recipes[0], axes)


def _numbered(output: Path, counts: Sequence[int]) -> tuple[tuple[Path, ...], ...]:
    """A path for every picture: `output` itself where there is one, else out-01.png, out-02.png, ... in their order."""
    if output.name.lower() == ".png":  # a hidden file without an ending
        raise UsageError(f"--output needs a name before .png, not {shown(str(output))}.")
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


def _check_destinations(paths: Sequence[Path]) -> None:
    """Find out whether all pictures could be written; raise `MetadataError` where one could not.

    Writing a file in a folder tells it of every new one there, and takes a thousandth of a second: only what is at a
    path already, and no plain file, can be in the way of a second one.
    """
    tried: set[Path] = set()
    for path in paths:
        try:
            free = stat.S_ISREG(os.lstat(path).st_mode)
        except FileNotFoundError:
            free = True
        except (OSError, ValueError):
            free = False
        if path.parent not in tried or not free:
            check_destination(path)
            tried.add(path.parent)
