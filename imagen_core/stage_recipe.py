"""The stages of the cascade, and what a user chose for one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from imagen_core import prompt_weights
from imagen_core.validation import Choice, Number, RecipeError, Rule, Text, Whole, shown, unknown

STAGES = ("base", "sr256", "sr1024")
SIZES: Mapping[str, int] = MappingProxyType({"base": 64, "sr256": 256, "sr1024": 1024})  # pixels per side
SCHEDULERS = ("ddpm", "ddim", "dpmsolver++", "dpmsolver++sde", "unipc", "deis", "euler")
# DeepFloyd IF's lists of timesteps, and how many there are in each. The lists themselves are in diffusers.
STEP_LISTS: Mapping[str, int] = MappingProxyType(
    {
        "fast27": 27,
        "smart27": 27,
        "smart50": 50,
        "smart100": 100,
        "smart185": 185,
        "super27": 27,
        "super40": 40,
        "super100": 100,
    }
)
SPACINGS = ("trailing", "leading", "linspace", "logsnr", *STEP_LISTS)
THRESHOLDINGS = ("none", "static", "dynamic")

PROMPT, SEED = Text(max_length=1000), Whole(0, 2**32 - 1)
STAGE_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "num_steps": Whole(1, 250),
        "scheduler": Choice(SCHEDULERS),
        "spacing": Choice(SPACINGS),
        "guidance_scale": Number(0, 30),
        "guidance_start": Number(0, 1),
        "guidance_end": Number(0, 1),
        "thresholding": Choice(THRESHOLDINGS),
        "percentile": Number(50, 100, above=True),
        "aug_level": Number(0, 1),
        "prompt": replace(PROMPT, optional=True),
        "seed": replace(SEED, optional=True),
    }
)


@dataclass(frozen=True)
class StageRecipe:
    """What a user chose for one stage.

    num_steps: denoising steps, 1 to 250; a spacing of `STEP_LISTS` has its own number of them whatever this says.
    scheduler, spacing: a word of `SCHEDULERS`, of `SPACINGS`.
    guidance_scale: 0 to 30, 1 = off (section 2.2 of arXiv 2205.11487). It is applied to step i of n, counted from 0,
        where guidance_start <= i/n < guidance_end, or guidance_start <= i/n where guidance_end is 1.
    thresholding, percentile: section 2.3; percentile, above 50 and up to 100, matters to "dynamic" alone.
    aug_level: noise conditioning augmentation of the image that the stage enlarges, 0 to 1 (section 2.4).
    prompt, seed: the stage's own, a prompt with weights as a recipe's; None, or an empty prompt, = those of the recipe.

    Raises `RecipeError`.
    """

    num_steps: int
    scheduler: str = "dpmsolver++"
    spacing: str = "logsnr"
    guidance_scale: float = 1.0
    guidance_start: float = 0.0
    guidance_end: float = 1.0
    thresholding: str = "static"
    percentile: float = 99.5
    aug_level: float = 0.0
    prompt: str | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        canonical(self, STAGE_RULES)
        object.__setattr__(self, "prompt", self.prompt or None)
        prompt_weights.parse(self.prompt or "")
        if self.guidance_start > self.guidance_end:
            allowed = f"must be at most guidance_end, {self.guidance_end:g}"
            raise RecipeError("guidance_start", f"{allowed}, not {self.guidance_start:g}")

    @property
    def planned_steps(self) -> int:
        """The steps that are asked for: those of a named list where `spacing` is one, else num_steps."""
        return STEP_LISTS.get(self.spacing, self.num_steps)

    @property
    def is_guided(self) -> bool:
        """Whether guidance may change a step: its scale is not 1, and its interval is not empty."""
        return self.guidance_scale != 1 and self.guidance_start < self.guidance_end

    def determining(self, prompt: str, seed: int) -> StageRecipe:
        """What of this recipe determines the pixels, for a stage that draws `prompt` from `seed`.

        Values that change none have one form: percentile where nothing is thresholded by it, num_steps under a list of
        steps, and scale and interval of a guidance that is off.
        """
        percentile = self.percentile if self.thresholding == "dynamic" else 100.0
        chosen = self if self.is_guided else replace(self, guidance_scale=1.0, guidance_start=0.0, guidance_end=1.0)
        return replace(chosen, num_steps=self.planned_steps, percentile=percentile, prompt=prompt, seed=seed)

    def updated(self, name: str, values: object) -> StageRecipe:
        """This recipe with other values, {"num_steps": 12}; or `values` itself, where it is a whole `StageRecipe`.

        Raises `RecipeError` where `values` is neither, and for unknown names and refused values, which it tells as
        those of the stage `name`.
        """
        if type(values) is StageRecipe:
            return values
        if not isinstance(values, Mapping):
            raise RecipeError(name, f"must be an object with names and values, not {shown(values)}")
        try:
            for field in values:
                if field not in STAGE_RULES:
                    raise unknown(field, STAGE_RULES)
            return replace(self, **values)
        except RecipeError as error:
            raise error.inside(name) from None


def canonical(recipe: object, rules: Mapping[str, Rule]) -> None:
    """Put every value of a frozen recipe that is being made into its one form, or raise `RecipeError`."""
    for name, rule in rules.items():
        object.__setattr__(recipe, name, rule.check(name, getattr(recipe, name)))
