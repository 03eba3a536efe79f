"""A recipe: all that a user chose, in one frozen value. The same recipe and weights draw the same picture.

Every door (the page, its API, the command line, a link, a PNG) makes a `Recipe` through the same rules, and each of
them tells a broken rule with the same sentence, in a `RecipeError`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

from imagen_core import link, prompt_weights
from imagen_core.fork import Fork, forked, planned_steps, read_fork
from imagen_core.limits import MAX_COST, MAX_PIXELS, check_limits, cost
from imagen_core.recipe_json import MAX_JSON_LENGTH, read_json
from imagen_core.stage_recipe import (
    PROMPT,
    SCHEDULERS,
    SEED,
    SIZES,
    SPACINGS,
    STAGE_RULES,
    STAGES,
    THRESHOLDINGS,
    StageRecipe,
    canonical,
)
from imagen_core.validation import Choice, Name, RecipeError, Rule, Whole, shown, unknown
from imagen_core.variation import VARIATION_RULES, check_variation, prompts, seeds

__all__ = (
    "MAX_COST",
    "MAX_JSON_LENGTH",
    "MAX_PIXELS",
    "RULES",
    "SCHEDULERS",
    "SIZES",
    "SPACINGS",
    "STAGES",
    "THRESHOLDINGS",
    "VERSION",
    "Recipe",
    "RecipeError",
    "StageRecipe",
)

VERSION = 1

_RECIPE_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "prompt": PROMPT,
        "negative_prompt": PROMPT,
        "seed": SEED,
        "num_images": Whole(1, 64),
        "model": Name(max_length=64),
        "last_stage": Choice(STAGES),
        **VARIATION_RULES,
    }
)
# The rule of every value by its dotted name ("seed", "sr256.num_steps"): ranges for sliders, options for menus.
RULES: Mapping[str, Rule] = MappingProxyType(
    {"version": Whole(VERSION, VERSION)}
    | dict(_RECIPE_RULES)
    | {f"{stage}.{name}": rule for stage in STAGES for name, rule in STAGE_RULES.items()}
)

# The default of every stage, told here and nowhere else.
# Measured (the model card has the figures): fresh noise at every step mends shapes, and the last steps draw better
# without guidance.
_BASE = StageRecipe(num_steps=24, guidance_scale=4.0, scheduler="ddpm", guidance_end=0.7)
_SR256 = StageRecipe(num_steps=6, aug_level=0.05)  # clears the base's faint grain away
_SR1024 = StageRecipe(num_steps=3)


@dataclass(frozen=True)
class Recipe:
    """What a user chose for a picture, or for `num_images` pictures of which image i has the seed seed + i.

    prompt, negative_prompt: at most 1,000 characters, kept in Unicode's form NFC; weights of words in the syntax of
        `prompt_weights` are part of them.
    seed: 0 to 2**32 - 1. num_images: 1 to 64, at 1024 pixels to 16.
    model: the name of a preset. last_stage: where the cascade ends.
    variation, variation_seed: 0 to 1, how much of another seed's noise is in that of `seed`; above 0 the images have
        `seed` in common, and image i the other seed + i. second_share, second_prompt: the same of another prompt.
    fork: where all this begins to hold, if not at the beginning of the first stage.

    Raises `RecipeError`, also where the whole would cost more than `MAX_COST` or hold more than `MAX_PIXELS`.
    """

    prompt: str = ""
    negative_prompt: str = ""
    seed: int = 0
    num_images: int = 1
    model: str = "bundled"
    last_stage: str = "sr1024"
    variation: float = 0.0
    variation_seed: int | None = None
    second_share: float = 0.0
    second_prompt: str = ""
    base: StageRecipe = _BASE
    sr256: StageRecipe = _SR256
    sr1024: StageRecipe = _SR1024
    fork: Fork | None = None

    def __post_init__(self) -> None:
        canonical(self, _RECIPE_RULES)
        for field in ("prompt", "negative_prompt", "second_prompt"):
            prompt_weights.parse(getattr(self, field), field)
        check_variation(self)
        for name in STAGES:
            if type(getattr(self, name)) is not StageRecipe:
                raise RecipeError(name, f"must be a StageRecipe, not {shown(getattr(self, name))}")
        if self.base.aug_level != 0:
            raise RecipeError("base.aug_level", f"must be 0, for base enlarges no image, not {self.base.aug_level:g}")
        if self.fork is not None:
            if type(self.fork) is not Fork:
                raise RecipeError("fork", f"must be a Fork, not {shown(self.fork)}")
            object.__setattr__(self, "fork", self.fork.checked(self))
        check_limits(self)

    @property
    def cost(self) -> int:
        """Steps of work for all images: a step at 1024 pixels counts as 4."""
        return cost(self)

    def planned_steps(self, name: str) -> int:
        """The most steps that the stage `name` can take, those of the fork's parents among them."""
        return planned_steps(self, name)

    def stages(self) -> tuple[str, ...]:
        """The names of the stages that run, in their order."""
        return STAGES[: STAGES.index(self.last_stage) + 1]

    def stage(self, name: str) -> StageRecipe:
        """The recipe of the stage `name`, whether it runs or not. Raises `RecipeError` for another name."""
        stage = getattr(self, Choice(STAGES).check("stage", name))
        assert isinstance(stage, StageRecipe)
        return stage

    def for_image(self, index: int) -> Recipe:
        """The recipe that draws image `index` alone: every seed moved by `index`, modulo 2**32.

        But of a variation the seed stays, and the other one moves.
        """
        if not 0 <= index < self.num_images:
            raise IndexError(f"image {index} of {self.num_images}")
        seed = "seed" if self.variation_seed is None else "variation_seed"
        moved: dict[str, Any] = {seed: (getattr(self, seed) + index) % 2**32, "num_images": 1}
        for name in STAGES:
            stage = self.stage(name)
            moved[name] = stage if stage.seed is None else replace(stage, seed=(stage.seed + index) % 2**32)
        moved["fork"] = None if self.fork is None else self.fork.for_image(index)
        return replace(self, **moved)

    def stage_key(self, name: str) -> tuple[object, ...]:
        """All that determines the images of the stage `name`: equal keys, equal images. Later stages are not in it.

        Nor are values that change no pixel: those of `StageRecipe.determining`, and the negative prompt of a stage
        without guidance. What is drawn again costs seconds, and a sweep over such a value shows one picture many times.
        """
        key: list[object] = [self.model, self.num_images]
        first, position = 0, STAGES.index(name)
        if self.fork is not None:
            first, _ = self.fork.place
            if position < first:
                return self.fork.parent.stage_key(name)
            key.append(self.fork.key())
        for earlier in STAGES[first : position + 1]:
            (prompt, second), (seed, other) = prompts(self, earlier), seeds(self, earlier)
            chosen = self.stage(earlier)
            negative = self.negative_prompt if chosen.is_guided else ""
            key.append((chosen.determining(prompt, seed), negative, second, other))
        return tuple(key)

    def updated(self, values: Mapping[str, object]) -> Recipe:
        """This recipe with other values, nested as in its JSON: {"seed": 7, "sr256": {"num_steps": 12}}.

        A stage may be a whole `StageRecipe` too, which then takes the place of this one's. Raises `RecipeError`, for an
        unknown name too.
        """
        changes: dict[str, Any] = {}
        for name, value in values.items():
            if name == "fork":
                changes[name] = None if value is None else read_fork(value, Recipe.from_dict)
                continue
            if name not in STAGES and name not in _RECIPE_RULES:
                raise unknown(name, (*_RECIPE_RULES, *STAGES))
            changes[name] = self.stage(name).updated(name, value) if name in STAGES else value
        return replace(self, **changes)

    def forked(self, stage: str, step: int, changes: Mapping[str, object], history: str | None = None) -> Recipe:
        """The recipe that keeps `step` steps of `stage` of this one, and goes on with `changes`, as for `updated`.

        history: see `Fork`. Raises `RecipeError`.
        """
        return forked(self, Fork(self, stage, step, history), changes)

    def to_dict(self) -> dict[str, object]:
        """Every value, nested, with the version of this form; `from_dict` takes it back. Without a fork it has none."""
        values = {"version": VERSION} | asdict(replace(self, fork=None))
        del values["fork"]
        return values if self.fork is None else values | {"fork": self.fork.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Recipe:
        """The recipe in `values`; what is not there has its default. Raises `RecipeError`, for an unknown name too."""
        if not isinstance(values, Mapping):
            raise RecipeError("recipe", f"must be an object with names and values, not {shown(values)}")
        version = values.get("version", VERSION)
        if type(version) is not int or version != VERSION:
            reason = "another release of this program wrote this recipe"
            raise RecipeError("version", f"must be {VERSION}, not {shown(version)}: {reason}")
        return cls().updated({name: value for name, value in values.items() if name != "version"})

    def to_json(self) -> str:
        """The recipe as one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """The recipe in JSON `text`. Raises `RecipeError`, for a name that comes twice too."""
        return cls.from_dict(read_json(text))

    def to_link(self) -> str:
        """The query string, without "?", of a link that holds all that determines the picture."""
        return link.write(self.to_dict())

    @classmethod
    def from_link(cls, query: str | Mapping[str, str]) -> Recipe:
        """The recipe in a link's query string, or in its decoded names and texts. Raises `RecipeError`.

        In a link without a version, which a person typed, what is missing has its default; a link from `to_link` must
        be whole.
        """
        return cls.from_dict(link.read(query, RULES))
