"""A wall of drafts: many small pictures of one recipe, from seeds in a row and from variations of its prompt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from imagen_core.recipe import Recipe, RecipeError
from imagen_core.validation import Whole

MAX_DRAFTS = 64
NUM_DRAFTS = Whole(1, MAX_DRAFTS)


@dataclass(frozen=True)
class Batch:
    """Drafts that differ in nothing but their noise: their numbers, and the recipe that draws them at 64 pixels."""

    drafts: tuple[int, ...]
    recipe: Recipe


@dataclass(frozen=True)
class Drafts:
    """What a wall shows. Draft i has prompt i mod p of its p prompts, and the seed moved by i div p.

    So without variations the seeds are seed ... seed + n - 1, and with them a row of p drafts begins from one noise.

    recipe: all that the drafts have in common, with the stages that a promoted one goes through; all of it begins with
        noise, so a fork is left out.
    num_drafts: 1 to 64. prompts: () for the recipe's own.

    Raises `RecipeError`.
    """

    recipe: Recipe
    num_drafts: int = MAX_DRAFTS
    prompts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "recipe", replace(self.recipe, fork=None, num_images=1))
        NUM_DRAFTS.check("num_drafts", self.num_drafts)
        object.__setattr__(self, "prompts", tuple(self.prompts) or (self.recipe.prompt,))
        if len(self.prompts) > self.num_drafts:
            raise RecipeError("num_drafts", f"must be at least {len(self.prompts)}, one for each prompt")
        if self.recipe.base.prompt is not None and len(self.prompts) > 1:
            raise RecipeError("base.prompt", "must be empty where prompts are varied, for it would take their place")
        for prompt in self.prompts:
            replace(self.recipe, prompt=prompt)

    def recipe_of(self, draft: int) -> Recipe:
        """The recipe that draws this draft alone, through all stages of `recipe`. Raises IndexError."""
        if not 0 <= draft < self.num_drafts:
            raise IndexError(f"draft {draft} of {self.num_drafts}")
        return replace(self._moved(draft), last_stage=self.recipe.last_stage)

    def batches(self, size: int) -> Iterator[Batch]:
        """The drafts in batches of at most `size`, those of one prompt together and evenly divided."""
        for prompt in range(len(self.prompts)):
            drafts = range(prompt, self.num_drafts, len(self.prompts))
            parts = -(-len(drafts) // size)
            for first, last in pairwise(len(drafts) * part // parts for part in range(parts + 1)):
                part = tuple(drafts[first:last])
                yield Batch(part, replace(self._moved(part[0]), num_images=len(part)))

    def _moved(self, draft: int) -> Recipe:
        """The recipe of one draft up to 64 pixels: every seed moved, its own prompt."""
        seeds, prompt = divmod(draft, len(self.prompts))
        many = replace(self.recipe, prompt=self.prompts[prompt], last_stage="base", num_images=seeds + 1)
        return many.for_image(seeds)
