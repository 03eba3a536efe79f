"""A fork: a recipe that goes on from a step of another one, its parent.

What holds up to the place is the parent's, what holds behind it are the values of the recipe that has the fork:

    Recipe(prompt="a cat", fork=Fork(Recipe(prompt="a dog"), "base", 7))

draws seven steps of the dog at 64 pixels and everything from there on with the words "a cat". A parent may be a fork
itself. So a fork needs no stored state: where nothing is kept of the parent's run, its steps are drawn again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from imagen_core.stage_recipe import STAGES, canonical
from imagen_core.validation import Choice, RecipeError, Rule, Whole, shown, unknown

if TYPE_CHECKING:
    from imagen_core.recipe import Recipe

HISTORIES = ("restored", "restarted")
MAX_GENERATIONS = 7  # forks of forks; that many recipes with the longest prompts still fit into a recipe's JSON

FORK_RULES: Mapping[str, Rule] = MappingProxyType({"stage": Choice(STAGES), "step": Whole(0, 999)})
_HISTORY = Choice(HISTORIES)
_SHARED = ("model", "num_images")


@dataclass(frozen=True)
class Fork:
    """The place where a recipe leaves another one.

    parent: what is drawn up to here. Both have the same model, number of images, and stages before `stage`.
    stage, step: `step` steps of `stage` are kept, 0 to one less than the parent has; 0 is the noise it begins with.
    history: what a multistep solver does with the x_0 of the steps before, by which it is better than a first-order
        one. "restored": it has them, as if nothing had happened. "restarted": it begins anew with a first-order step.
        None: "restored" where that can be, which is with the scheduler that drew those steps.

    Raises `RecipeError`; `checked` does for what depends on the recipe that has the fork.
    """

    parent: Recipe
    stage: str
    step: int
    history: str | None = None

    def __post_init__(self) -> None:
        try:
            canonical(self, FORK_RULES)
            if self.history is not None:
                _HISTORY.check("history", self.history)
        except RecipeError as error:
            raise error.inside("fork") from None

    @property
    def place(self) -> tuple[int, int]:
        """Number of the stage and of the first step of the child, both from 0: places compare in the order of a run."""
        return STAGES.index(self.stage), self.step

    def checked(self, child: Recipe) -> Fork:
        """This fork of the recipe `child`, with its history named. Raises `RecipeError`."""
        parent = self.parent
        if type(parent) is not type(child):
            raise RecipeError("fork.parent", f"must be a Recipe, not {shown(parent)}")
        if generations(parent) >= MAX_GENERATIONS:
            raise RecipeError("fork", f"must have at most {MAX_GENERATIONS} generations of parents")
        for name in _SHARED:
            _same(name, getattr(child, name), getattr(parent, name))
        for whose, recipe in (("the parent", parent), ("the fork", child)):
            if self.stage not in recipe.stages():
                raise RecipeError("fork.stage", f"must be a stage that {whose} draws, not {self.stage}")
        steps = planned_steps(parent, self.stage)
        if self.step >= steps:
            allowed = f"must be below {steps}, the steps of {self.stage} in the parent"
            raise RecipeError("fork.step", f"{allowed}, not {self.step}")
        for name in STAGES[: STAGES.index(self.stage)]:
            ours, theirs = child.stage(name), parent.stage(name)
            for field in fields(ours):
                dotted = f"{name}.{field.name}"
                _same(dotted, getattr(ours, field.name), getattr(theirs, field.name), self.stage)
        return replace(self, history=self._named_history(child))

    def _named_history(self, child: Recipe) -> str:
        if self.step == 0:
            restorable, why = False, "no step is kept"
        else:
            before = drawn_by(self.parent, self.stage, self.step - 1).stage(self.stage).scheduler
            after = child.stage(self.stage).scheduler
            restorable, why = before == after, f"the scheduler changes from {before} to {after}"
        if self.history == "restored" and not restorable:
            raise RecipeError("fork.history", f"must be restarted, not restored, because {why}")
        return self.history or ("restored" if restorable else "restarted")

    def for_image(self, index: int) -> Fork:
        """The fork of `Recipe.for_image(index)`: every seed of every parent is moved too."""
        return replace(self, parent=self.parent.for_image(index))

    def key(self) -> tuple[object, ...]:
        """All that determines what is kept; equal keys, equal kept states and solvers."""
        if self.step == 0:
            before = STAGES[: STAGES.index(self.stage)]
            return self.parent.stage_key(before[-1]) if before else ()
        return (*state_key(self.parent, self.stage, self.step), self.history)

    def to_dict(self) -> dict[str, object]:
        """Every value, nested; `from_dict` takes it back."""
        parent = self.parent.to_dict()
        del parent["version"]
        return {"stage": self.stage, "step": self.step, "history": self.history, "parent": parent}


def generations(recipe: Recipe) -> int:
    """How many parents, theirs and so on `recipe` has."""
    count = 0
    while recipe.fork is not None:
        recipe, count = recipe.fork.parent, count + 1
    return count


def drawn_by(recipe: Recipe, stage: str, step: int | None = None) -> Recipe:
    """The recipe whose values draw `step`, counted from 0, of a stage of `recipe`; without a step, the last one."""
    place = (STAGES.index(stage), math.inf if step is None else step)
    while (fork := recipe.fork) is not None and place < fork.place:
        recipe = fork.parent
    return recipe


def lineage(recipe: Recipe, stage: str) -> list[tuple[Recipe, int]]:
    """The recipes that draw `stage` of `recipe`, each with its first step, counted from 0."""
    recipe = drawn_by(recipe, stage)
    drawn: list[tuple[Recipe, int]] = []
    while True:
        start = recipe.fork.step if recipe.fork is not None and recipe.fork.stage == stage else 0
        drawn.insert(0, (recipe, start))
        if start == 0 or recipe.fork is None:
            return drawn
        recipe = drawn_by(recipe.fork.parent, stage, start - 1)


def state_key(recipe: Recipe, stage: str, step: int) -> tuple[object, ...]:
    """What determines the state of `stage` behind `step` steps, 1 or more: equal keys, equal states."""
    return (drawn_by(recipe, stage, step - 1).stage_key(stage), step)


def planned_steps(recipe: Recipe, stage: str) -> int:
    """The most steps that `stage` of `recipe` can have, the parents' part among them.

    It has this many where every fork keeps the spacing and its number of steps; else what is left of the new list of
    timesteps behind the place can be shorter.
    """
    total, before = 0, None
    for drawn, start in lineage(recipe, stage):
        chosen = drawn.stage(stage)
        schedule = (chosen.spacing, chosen.planned_steps)
        total = total if schedule == before else start + chosen.planned_steps
        before = schedule
    return total


def forked(recipe: Recipe, fork: Fork, changes: Mapping[str, object]) -> Recipe:
    """`recipe`, left at the place of `fork`, with `changes` (as for `Recipe.updated`) from there on.

    Where all that is kept was drawn by a parent of `recipe`, the fork is that parent's. Raises `RecipeError`.
    """
    if "fork" in changes:
        raise RecipeError("fork", "must not be among a fork's changes, for it is what they make")
    child = replace(recipe, fork=None).updated(changes)
    parent = recipe
    while (own := parent.fork) is not None and own.place >= fork.place:
        parent = own.parent
    return replace(child, fork=replace(fork, parent=parent))


def read_fork(values: object, read_parent: Callable[[Mapping[str, object]], Recipe]) -> Fork:
    """The fork in `values`, nested as in its JSON; `read_parent` makes the parent. Raises `RecipeError`."""
    depth, inner = 0, values
    while isinstance(inner, Mapping):  # before any of it is read, because reading it calls itself
        parent = inner.get("parent")
        inner = parent.get("fork") if isinstance(parent, Mapping) else None
        depth += 1
        if depth > MAX_GENERATIONS:
            raise RecipeError("fork", f"must have at most {MAX_GENERATIONS} generations of parents")
    if not isinstance(values, Mapping):
        raise RecipeError("fork", f"must be an object with names and values, not {shown(values)}")
    known = [field.name for field in fields(Fork)]
    for name in values:
        if name not in known:
            raise unknown(name, known).inside("fork")
    for name in ("parent", "stage", "step"):
        if name not in values:
            raise RecipeError(f"fork.{name}", "is missing")
    given: dict[str, Any] = dict(values)
    if not isinstance(given["parent"], Mapping):
        raise RecipeError("fork.parent", f"must be an object with names and values, not {shown(given['parent'])}")
    try:
        parent = read_parent(given.pop("parent"))
    except RecipeError as error:
        raise error.inside("fork.parent") from None
    return Fork(parent, **given)


def _same(name: str, ours: object, theirs: object, stage: str = "") -> None:
    if ours != theirs:
        why = f", for the fork begins in {stage}" if stage else ""
        raise RecipeError(name, f"must be {shown(theirs)} as in the fork's parent, not {shown(ours)}{why}")
