"""The x_0 of every step of a stage after none, static and dynamic thresholding (section 2.3 of arXiv 2205.11487).

A run hands out x_0 after the thresholding that its recipe names. What the other two would have made of the same
guided x_0 is found by drawing the stage once more, which gives the same steps, from the stages before it that are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from imagen_core.cascade import Cascade
from imagen_core.fork import drawn_by
from imagen_core.recipe import STAGES, THRESHOLDINGS, Recipe, RecipeError
from imagen_core.solver_state import KeptStates
from imagen_core.stage import ANOTHER_SEED, check_refused, told_of_stage
from imagen_core.thresholding import Thresholded, Thresholding, threshold
from imagen_core.trajectory import legs


@dataclass(frozen=True)
class ThresholdComparison:
    """One step of one image: step 1 ... num_steps of a stage, and its x_0, (1, 3, h, w), by kind of thresholding.

    used, percentile: the kind that the run went on with, and that of "dynamic". guided: x_0 after guidance, its values
    wherever the guidance has driven them. The pictures of a last step carry the model's mark, where it has one.
    """

    stage: str
    step: int
    num_steps: int
    used: str
    percentile: float
    kinds: dict[str, Thresholded]
    guided: Tensor


def compare_thresholding(
    cascade: Cascade, recipe: Recipe, stage: str, image: int, stop_if_asked: Callable[[], None]
) -> Iterator[ThresholdComparison]:
    """Every step of a stage of image `image` of a recipe.

    `stop_if_asked` is called between the blocks of a network; what it raises is raised here.

    Raises:
        RecipeError: the recipe has no such stage or image, or the model no such stage.
        StageError: the stage or one before it could not go on, or the picture must not be shown.
    """
    if stage not in recipe.stages() or stage not in cascade.stages:
        raise RecipeError("last_stage", f"must be {stage} or later where {stage} is to be compared")
    if cascade.stages[stage].latents is not None:
        raise RecipeError(stage, "is drawn in the latents of an autoencoder, which are not thresholded")
    if not 0 <= image < recipe.num_images:
        raise RecipeError("num_images", f"must be more than {image} where image {image + 1} is to be compared")
    alone = recipe.for_image(image)
    before = _images_before(cascade, recipe, stage, image, stop_if_asked)
    planned = legs(drawn_by(alone, stage), stage, cascade.stages[stage].noise_schedule)
    seen: list[Tensor] = []
    denoiser = replace(cascade.denoiser(stage, stop_if_asked), watched=seen.append)
    # From the beginning, whatever states are kept: those know the x_0 of their step only after its thresholding.
    with told_of_stage(stage, "ask for an earlier stage", ANOTHER_SEED):
        for step in cascade.steps(planned, before, denoiser, KeptStates()):
            guided = torch.cat(seen)  # (1, 3, h, w)
            seen.clear()
            num_steps = len(planned[-1].timesteps)
            of_model, is_last = cascade.stages[stage], step.index + 1 == num_steps
            if is_last and of_model.refused is not None:
                check_refused(of_model.refused(step.x_0), stage)
            chosen = next(leg for leg in planned if step.index < leg.end).recipe.stage(stage)
            kinds = {
                kind: threshold(guided, Thresholding(kind, chosen.percentile, denoiser.threshold_cap))
                for kind in THRESHOLDINGS
            }
            if is_last:
                kinds = {kind: replace(result, x_0=of_model.handed_out(result.x_0)) for kind, result in kinds.items()}
            used = (chosen.thresholding, chosen.percentile)
            yield ThresholdComparison(stage, step.index + 1, num_steps, *used, kinds, guided)


def _images_before(
    cascade: Cascade, recipe: Recipe, stage: str, image: int, stop_if_asked: Callable[[], None]
) -> Tensor | None:
    """What the stage before made of one image, (1, 3, h, w): from the run itself where that is kept, else drawn."""
    before = None
    alone = recipe.for_image(image)
    for name in STAGES[: STAGES.index(stage)]:
        kept = cascade.recall(recipe.stage_key(name))
        own = cascade.recall(alone.stage_key(name)) if kept is None else kept[image : image + 1]
        drawn, denoiser = drawn_by(alone, name), cascade.denoiser(name, stop_if_asked)
        before = _end(cascade.stage_events(drawn, name, before, denoiser)) if own is None else own
    return before


def _end(events: Generator[object, None, Tensor]) -> Tensor:
    """What a generator returns, its events unheard."""
    while True:
        try:
            next(events)
        except StopIteration as end:
            images: Tensor = end.value
            return images
