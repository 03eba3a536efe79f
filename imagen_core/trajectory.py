"""The way of one stage from noise to picture, in legs: each is drawn with one recipe's values.

A recipe without a fork has one leg. A fork's begins where it leaves its parent: at the timestep that the kept x_t was
made for, whatever the new spacing and number of steps are. The new list of timesteps is joined there where it is
nearest in log-SNR, and what follows in it follows (`spacings.joined`). So twice the steps are twice as fine from there
on, a named list keeps its fine and coarse parts where they were, no step is much shorter than the list's own (a
multistep solver would divide by it), and with the parent's settings what is left is what the parent had left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from imagen_core.fork import lineage
from imagen_core.noise_schedule import NoiseSchedule
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.sampler import Step
from imagen_core.schedulers import Scheduler
from imagen_core.solver_state import KeptStates, SolverState
from imagen_core.spacings import joined, spaced_timesteps


@dataclass(frozen=True)
class Leg:
    """The steps `start` to `end` - 1 of a stage, which are drawn with the values of `recipe`.

    timesteps: of the whole stage as this recipe would draw it, those before `start` among them, so that a step has the
    same number, noise and place in a guidance interval as in a run of this recipe.
    restored: the solver goes on with what it remembers of the leg before.
    """

    recipe: Recipe
    stage: str
    start: int
    end: int
    timesteps: tuple[int, ...]
    restored: bool

    def key(self, step: int) -> tuple[object, ...]:
        """What determines the state behind `step` steps, start < step <= end; `fork.state_key` is the same."""
        return (self.recipe.stage_key(self.stage), step)


def legs(recipe: Recipe, stage: str, noise_schedule: NoiseSchedule) -> list[Leg]:
    """The legs of `stage` of a recipe, one behind the other.

    Raises:
        RecipeError: a fork's place is behind the last step, because a spacing has fewer timesteps than were asked for.
    """
    drawn = lineage(recipe, stage)
    found: list[Leg] = []
    timesteps: list[int] = []
    for number, (own, start) in enumerate(drawn):
        chosen = own.stage(stage)
        listed = spaced_timesteps(chosen.spacing, chosen.num_steps, noise_schedule)
        if start and start >= len(timesteps):
            why = f"of {stage}, for the parent's spacing has no more different timesteps"
            raise RecipeError("fork.step", f"must be below {len(timesteps)}, the steps {why}, not {start}")
        timesteps = joined(timesteps, start, listed, noise_schedule) if start else listed
        end = drawn[number + 1][1] if number + 1 < len(drawn) else len(timesteps)
        restored = own.fork is not None and own.fork.history == "restored"
        found.append(Leg(own, stage, start, end, tuple(timesteps), restored))
    return found


def walk(
    legs: Sequence[Leg],
    kept: KeptStates,
    scheduler_of: Callable[[Leg], Scheduler],
    draw: Callable[[Leg, Scheduler], Iterator[Step]],
) -> Iterator[Step]:
    """The steps of all legs, behind the last state of them that is kept; every new state is kept.

    scheduler_of: a fresh scheduler for the timesteps of a leg. draw: the steps of a leg from where its scheduler is.
    """
    state = _latest(legs, kept)
    for leg in legs:
        if state is not None and state.step >= leg.end:
            continue
        scheduler = scheduler_of(leg)
        if state is not None:
            scheduler.resume(state, restored=leg.restored or state.step > leg.start)
        for step in draw(leg, scheduler):
            state = step.state
            if state is not None:
                kept.keep(leg.key(state.step), state)
            yield step
            if step.index + 1 == leg.end:
                break


def _latest(legs: Sequence[Leg], kept: KeptStates) -> SolverState | None:
    """The last kept state of what is drawn before the last leg: its own steps are drawn whether kept or not."""
    for leg in reversed(legs[:-1]):
        for step in range(leg.end, leg.start, -1):
            state = kept.get(leg.key(step))
            if state is not None:
                return state
    return None
