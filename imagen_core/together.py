"""Several recipes drawn together: every call of a network draws images of all of them.

Nothing that tells the recipes apart stands in the way, for a network is told text, timestep and aug_level image by
image, and guidance comes after it. Sampler and denoiser know nothing of it: each recipe's stage works alone up to its
call of the network and stands still there (`PausedStage`); when all do, or are at their end, the network is called
once.

An accelerator draws eight pictures in little more than the time of one. A processor does not, and there an image must
not depend, to the last bit, on those drawn with it: on a processor draw one recipe after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Tensor

from imagen_core.cascade import Cascade
from imagen_core.conditioning import padded
from imagen_core.denoiser import Unet
from imagen_core.events import Event, StageFinished
from imagen_core.fork import drawn_by
from imagen_core.models.conditioning import UNetConditioning
from imagen_core.paused_stage import Call, End, PausedStage
from imagen_core.prompt_events import PromptEvents
from imagen_core.recipe import STAGES, Recipe
from imagen_core.run import Run
from imagen_core.stage import ANOTHER_SEED, told_of_stage

_Told: TypeAlias = tuple[int, Event]  # of the recipe with this place in their list


def together(cascade: Cascade, recipes: Sequence[Recipe]) -> Run[_Told]:
    """Draw recipes together, stage by stage: the events of each, with its place in `recipes`.

    A stage that several of them have in common is drawn once, and told to each. The pictures are those of `Cascade.run`
    but for the order of sums inside a network. The iterator raises `StageError` where a stage cannot go on.

    Raises:
        RecipeError: as `Cascade.run`.
    """
    for recipe in recipes:
        cascade.check(recipe)
    return Run(lambda stop_if_asked: _events(cascade, recipes, stop_if_asked))


def _events(cascade: Cascade, recipes: Sequence[Recipe], stop_if_asked: Callable[[], None]) -> Iterator[_Told]:
    prompt_events = [PromptEvents() for _ in recipes]
    before: dict[int, Tensor | None] = dict.fromkeys(range(len(recipes)))
    for name in STAGES:
        alike: dict[tuple[object, ...], list[int]] = {}  # what the stage draws, and for which recipes
        for place, recipe in enumerate(recipes):
            if name in recipe.stages():
                alike.setdefault(recipe.stage_key(name), []).append(place)
                for event in prompt_events[place].of(cascade.stages[name], drawn_by(recipe, name)):
                    yield place, event
        for key, places in list(alike.items()):
            images = cascade.recall(key)
            if images is not None:
                del alike[key]
                stage = cascade.stages[name]
                kept = StageFinished(name, stage.size, stage.handed_out(images), seconds=0.0, cached=True)
                yield from ((place, kept) for place in places)
                before |= dict.fromkeys(places, images)
        drawn = [(drawn_by(recipes[places[0]], name), before[places[0]]) for places in alike.values()]
        ended = yield from _stage_events(cascade, name, drawn, list(alike.values()), stop_if_asked)
        for places, images in zip(alike.values(), ended, strict=True):
            before |= dict.fromkeys(places, images)


def _stage_events(
    cascade: Cascade,
    name: str,
    drawn: Sequence[tuple[Recipe, Tensor | None]],
    told_to: Sequence[Sequence[int]],
    stop_if_asked: Callable[[], None],
) -> Generator[_Told, None, list[Tensor]]:
    """The events of one stage of recipes, each given with the images of its stage before; returns their images.

    told_to: the places that hear of each. One alone needs no thread.
    """
    if not drawn:
        return []
    denoiser = cascade.denoiser(name, stop_if_asked)
    if len(drawn) == 1:
        [(recipe, images)], [places] = drawn, told_to
        events = cascade.stage_events(recipe, name, images, denoiser)
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                return [end.value]
            yield from ((place, event) for place in places)

    def drawing(recipe: Recipe, images: Tensor | None) -> Callable[[Unet], Generator[Event, None, Tensor]]:
        return lambda unet: cascade.stage_events(recipe, name, images, replace(denoiser, unet=unet))

    members = [PausedStage(drawing(*given)) for given in drawn]
    ended: dict[int, Tensor] = {}
    answers: dict[int, Tensor | None] = dict.fromkeys(range(len(members)))
    try:
        while answers:
            asked: dict[int, Call] = {}
            for index, answer in answers.items():
                told = members[index].go_on(answer)
                while not isinstance(told, Call | End):
                    yield from ((place, told) for place in told_to[index])
                    told = members[index].go_on()
                if isinstance(told, Call):
                    asked[index] = told
                else:
                    ended[index] = told.images
            with told_of_stage(name, "draw fewer pictures together", ANOTHER_SEED):
                outputs = _outputs(denoiser.unet, list(asked.values()), stop_if_asked)
            answers = dict(zip(asked, outputs, strict=True))
    finally:
        for member in members:
            member.close()
    return [ended[index] for index in range(len(members))]


@torch.inference_mode()
def _outputs(unet: Unet, calls: Sequence[Call], stop_if_asked: Callable[[], None]) -> list[Tensor]:
    """What the network gives for each call, from one call with all images."""
    if not calls:
        return []
    x_t, t = torch.cat([call.x_t for call in calls]), torch.cat([call.t for call in calls])
    output = unet(x_t, t, _conditioning([call.given for call in calls]), stop_if_asked, None)
    return list(torch.split(output, [len(call.x_t) for call in calls]))


def _conditioning(given: Sequence[UNetConditioning]) -> UNetConditioning:
    """All of them as one; tokens that one has and another lacks are masked."""
    length = max(one.text.shape[1] for one in given)
    low_res = [one.low_res for one in given if one.low_res is not None]
    levels = [one.aug_level for one in given if one.aug_level is not None]

    def log_weights(one: UNetConditioning) -> Tensor:
        return torch.zeros(one.mask.shape, device=one.mask.device) if one.log_weights is None else one.log_weights

    weighted = any(one.log_weights is not None for one in given)
    return UNetConditioning(
        text=torch.cat([padded(one.text, length) for one in given]),
        mask=torch.cat([padded(one.mask, length) for one in given]),
        low_res=torch.cat(low_res) if low_res else None,
        aug_level=torch.cat(levels) if levels else None,
        log_weights=torch.cat([padded(log_weights(one), length) for one in given]) if weighted else None,
    )
