"""python -m imagen_core "a red apple on a wooden table" --seed 7 --output apple.png."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagen_core import command_line
from imagen_core.check import Checks
from imagen_core.checkpoint_error import CheckpointError
from imagen_core.command_line_options import UsageError
from imagen_core.events import Event, Preview, PromptEncoded, StageError, StageFinished, StageStarted
from imagen_core.metadata import MetadataError, quoted, save_png, write
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.validation import shown

if TYPE_CHECKING:
    from PIL.Image import Image

    from imagen_core.imagen import Imagen
    from imagen_core.sweep import Sweep


def main(arguments: Sequence[str] | None = None, load: Callable[[str], Imagen] | None = None) -> int:
    """Do what `arguments` say and return the exit code; `load` makes the Imagen of a preset's or folder's name."""
    try:
        request = command_line.parse(arguments)
    except (UsageError, RecipeError, MetadataError, CheckpointError) as error:
        return _failed(error, 2)
    except KeyboardInterrupt:
        return _failed("stopped", 130)
    try:
        if request.prints:
            _print(request)
            return 0
        return _draw(request, load)
    except KeyboardInterrupt:
        return _failed("stopped", 130)
    except BrokenPipeError:  # who reads what is printed has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be flushed goes nowhere
        return 141  # as of a program that SIGPIPE ends


def _print(request: command_line.Request) -> None:
    """Print the recipes or links that were asked for."""
    if request.sweep and "link" in request.prints:
        print(request.sweep.to_link())
    else:
        for recipe in request.recipes:
            _print_recipe(recipe, request.prints)
    sys.stdout.flush()


def _print_recipe(recipe: Recipe, prints: Sequence[str]) -> None:
    if "recipe" in prints:
        utf8 = (sys.stdout.encoding or "").lower().startswith("utf")
        print(json.dumps(recipe.to_dict(), indent=2, ensure_ascii=not utf8))
    if "link" in prints:
        print(recipe.to_link())


def _draw(request: command_line.Request, load: Callable[[str], Imagen] | None) -> int:
    """Load the model and draw every recipe."""
    if load is None:
        # Only here, where all arguments are known to be good: this import takes seconds.
        from imagen_core.imagen import Imagen

        load = partial(Imagen.from_pretrained, options=request.options)
    try:
        imagen = load(request.model)
        if request.sweep:
            _draw_sweep(imagen, request.sweep, request)
            return 0
        for recipe, paths in zip(request.recipes, request.paths, strict=True):
            checks = _draw_recipe(imagen, recipe, paths, request.quiet)
            if request.shared is not None and (verdict := request.shared.verdict(recipe, checks.of(0))):
                print(f"imagen_core: compared with the first picture of this recipe: {verdict}.", file=sys.stderr)
    except (CheckpointError, StageError, MetadataError, RecipeError) as error:
        return _failed(error, 1)
    return 0


def _draw_recipe(imagen: Imagen, recipe: Recipe, paths: Sequence[Path], quiet: bool) -> Checks:
    """Run `recipe` and write its images; where a stage fails, those of the stage before it are written and told.

    The answer is the images' checks.
    """
    from imagen_core.images import to_pil

    finished: StageFinished | None = None
    checks = Checks(imagen.weights)
    with contextlib.closing(imagen.stream(recipe)) as run, contextlib.closing(_Progress(quiet)) as progress:
        try:
            for event in run:
                progress.show(event)
                if isinstance(event, StageFinished):
                    finished = event
                    checks.add(to_pil(event.x_0))
        except StageError as error:
            if finished is None:
                raise
            # Saved under another name and with a recipe that ends there, so that nobody takes it for the whole.
            kept = [path.with_stem(f"{path.stem}-{finished.stage}") for path in paths]
            _save(finished, replace(recipe, last_stage=finished.stage), kept, checks)
            problem = str(error).removeprefix(f"{error.stage}: ").rstrip(".")
            names = ", ".join(quoted(path) for path in kept)
            raise StageError(error.stage, f"{problem}; what {finished.stage} drew is in {names}.") from error
    assert finished is not None
    _save(finished, recipe, paths, checks)
    return checks


def _draw_sweep(imagen: Imagen, sweep: Sweep, request: command_line.Request) -> None:
    """Draw every cell as far as the sheet shows it, and write the sheet."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    from imagen_core.contact_sheet import cell_size, fitted, to_png
    from imagen_core.images import to_pil
    from imagen_core.sweep import BATCH

    path, pictures, noted = request.paths[0][0], dict[int, "Image"](), set[str]()
    # The sheet has cells of 256 pixels: what is drawn at 1024 would take most of the time, and be shrunk.
    drawn_sweep = sweep if request.whole_cells else sweep.up_to(cell_size(sweep))
    with tqdm(total=len(sweep.order()), desc="sweep", unit="cell", file=sys.stderr, disable=request.quiet) as done:
        for cells in (batches := drawn_sweep.batches(imagen.cascade.chunk or BATCH)):
            recipes = [drawn_sweep.cell(cell) for cell in cells]
            try:
                for place, event in imagen.stream_together(recipes):
                    if isinstance(event, PromptEncoded):
                        for note in set(_notes(event)) - noted:
                            done.write(f"imagen_core: {note}", file=sys.stderr)
                            noted.add(note)
                    if isinstance(event, StageFinished) and event.stage == recipes[place].last_stage:
                        pictures[cells[place]] = fitted(to_pil(event.x_0)[0], cell_size(sweep))
                        done.update()
            except StageError:
                if len(cells) == 1:
                    raise
                batches.one_by_one([cell for cell in cells if cell not in pictures])
    write(to_png(sweep, [pictures[index] for index in sorted(pictures)]), path)
    _tell(path)


class _Progress:
    """Events as progress bars and notes on stderr."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.bar: Any = None  # a tqdm, which has no types

    def show(self, event: Event) -> None:
        """Tell of one event."""
        from tqdm import tqdm

        match event:
            case PromptEncoded():
                for note in _notes(event):
                    print(f"imagen_core: {note}", file=sys.stderr)
            case StageStarted():
                self.close()
                name = f"{event.stage:>6} {event.size:>4} px"
                self.bar = tqdm(total=event.num_steps, desc=name, unit="step", file=sys.stderr, disable=self.quiet)
            case Preview():
                if self.bar is not None:
                    self.bar.update(event.step - self.bar.n)
            case StageFinished():
                self.close()

    def close(self) -> None:
        """End the bar of the stage, where it is."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def _notes(event: PromptEncoded) -> Iterator[str]:
    """What a person should know of how the text encoder read a prompt."""
    which = "of the negative prompt " if event.negative else ""
    if event.cut:
        limit = f"the text encoder reads {event.max_tokens} tokens"
        yield f"note: {which}{limit}, and this is behind them: {shown(event.cut)}."
    if event.unknown:
        words = ", ".join(shown(word) for word in event.unknown[:5])
        yield f"note: {which}the text encoder does not know {words}."


def _save(finished: StageFinished, recipe: Recipe, paths: Sequence[Path], checks: Checks) -> None:
    """Write every image with the recipe that draws it alone and its check, and print its path."""
    from imagen_core.images import to_pil

    for index, (image, path) in enumerate(zip(to_pil(finished.x_0), paths, strict=True)):
        save_png(image, recipe.for_image(index), path, checks.of(index))
        _tell(path)


def _tell(path: Path) -> None:
    encoding = sys.stdout.encoding or "utf-8"  # a terminal may not know every letter of a file's name
    print(str(path).encode(encoding, "backslashreplace").decode(encoding), flush=True)


def _failed(error: object, code: int) -> int:
    print(f"imagen_core: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
