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

from imagen_core import link
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
MAX_JSON_LENGTH = 100_000  # characters; five prompts of 1,000 escaped emoji fit
MAX_PIXELS = 16 * 1024**2  # of all images of the last stage together: what their tensors may take of the memory
MAX_COST = 20_000  # of a whole recipe: images x steps x weight, summed over its stages
_COST_WEIGHT: Mapping[str, int] = MappingProxyType({"base": 1, "sr256": 1, "sr1024": 4})

_RECIPE_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "prompt": PROMPT,
        "negative_prompt": PROMPT,
        "seed": SEED,
        "num_images": Whole(1, 64),
        "model": Name(max_length=64),
        "last_stage": Choice(STAGES),
    }
)
# The rule of every value by its dotted name ("seed", "sr256.num_steps"): ranges for sliders, options for menus.
RULES: Mapping[str, Rule] = MappingProxyType(
    {"version": Whole(VERSION, VERSION)}
    | dict(_RECIPE_RULES)
    | {f"{stage}.{name}": rule for stage in STAGES for name, rule in STAGE_RULES.items()}
)

# The default of every stage, told here and nowhere else.
_BASE = StageRecipe(num_steps=16, guidance_scale=2.0, thresholding="dynamic")
_SR256 = StageRecipe(num_steps=6)
_SR1024 = StageRecipe(num_steps=3)


@dataclass(frozen=True)
class Recipe:
    """What a user chose for a picture, or for `num_images` pictures of which image i has the seed seed + i.

    prompt, negative_prompt: at most 1,000 characters, kept in Unicode's form NFC.
    seed: 0 to 2**32 - 1. num_images: 1 to 64, at 1024 pixels to 16.
    model: the name of a preset. last_stage: where the cascade ends.

    Raises `RecipeError`, also where the whole would cost more than `MAX_COST` or hold more than `MAX_PIXELS`.
    """

    prompt: str = ""
    negative_prompt: str = ""
    seed: int = 0
    num_images: int = 1
    model: str = "bundled"
    last_stage: str = "sr1024"
    base: StageRecipe = _BASE
    sr256: StageRecipe = _SR256
    sr1024: StageRecipe = _SR1024

    def __post_init__(self) -> None:
        canonical(self, _RECIPE_RULES)
        for name in STAGES:
            if type(getattr(self, name)) is not StageRecipe:
                raise RecipeError(name, f"must be a StageRecipe, not {shown(getattr(self, name))}")
        if self.base.aug_level != 0:
            raise RecipeError("base.aug_level", f"must be 0, for base enlarges no image, not {self.base.aug_level:g}")
        size = SIZES[self.last_stage]
        if self.num_images * size**2 > MAX_PIXELS:
            allowed = f"must be at most {MAX_PIXELS // size**2} at {size} pixels"
            raise RecipeError(
                "num_images", f"{allowed}, not {self.num_images}: lower it, or choose an earlier last_stage"
            )
        if self.cost > MAX_COST:
            costs = {name: self.stage(name).num_steps * _COST_WEIGHT[name] for name in self.stages()}
            most = max(costs, key=lambda name: costs[name])
            lower = f"lower it, or {most}.num_steps of {self.stage(most).num_steps}"
            cost = f"costs {self.cost:,} steps of work where {MAX_COST:,} are allowed"
            raise RecipeError("num_images", f"of {self.num_images} {cost}: {lower}")

    @property
    def cost(self) -> int:
        """Steps of work for all images: a step at 1024 pixels counts as 4."""
        steps = sum(self.stage(name).num_steps * _COST_WEIGHT[name] for name in self.stages())
        return self.num_images * steps

    def stages(self) -> tuple[str, ...]:
        """The names of the stages that run, in their order."""
        return STAGES[: STAGES.index(self.last_stage) + 1]

    def stage(self, name: str) -> StageRecipe:
        """The recipe of the stage `name`, whether it runs or not. Raises `RecipeError` for another name."""
        stage = getattr(self, Choice(STAGES).check("stage", name))
        assert isinstance(stage, StageRecipe)
        return stage

    def for_image(self, index: int) -> Recipe:
        """The recipe that draws image `index` alone: every seed moved by `index`, modulo 2**32."""
        if not 0 <= index < self.num_images:
            raise IndexError(f"image {index} of {self.num_images}")
        moved: dict[str, Any] = {"seed": (self.seed + index) % 2**32, "num_images": 1}
        for name in STAGES:
            stage = self.stage(name)
            moved[name] = stage if stage.seed is None else replace(stage, seed=(stage.seed + index) % 2**32)
        return replace(self, **moved)

    def stage_key(self, name: str) -> tuple[object, ...]:
        """All that determines the images of the stage `name`: equal keys, equal images. Later stages are not in it."""
        key: list[object] = [self.model, self.negative_prompt, self.num_images]
        for earlier in STAGES[: STAGES.index(name) + 1]:
            stage = self.stage(earlier)
            prompt = self.prompt if stage.prompt is None else stage.prompt
            key.append(replace(stage, prompt=prompt, seed=self.seed if stage.seed is None else stage.seed))
        return tuple(key)

    def updated(self, values: Mapping[str, object]) -> Recipe:
        """This recipe with other values, nested as in its JSON: {"seed": 7, "sr256": {"num_steps": 12}}.

        Raises `RecipeError`, for an unknown name too.
        """
        changes: dict[str, Any] = {}
        for name, value in values.items():
            if name not in STAGES and name not in _RECIPE_RULES:
                raise unknown(name, (*_RECIPE_RULES, *STAGES))
            changes[name] = self.stage(name).updated(name, value) if name in STAGES else value
        return replace(self, **changes)

    def to_dict(self) -> dict[str, object]:
        """Every value, nested, with the version of this form; `from_dict` takes it back."""
        return {"version": VERSION} | asdict(self)

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
        if len(text) > MAX_JSON_LENGTH:
            raise RecipeError("recipe", f"must be at most {MAX_JSON_LENGTH:,} characters of JSON, not {len(text):,}")
        try:
            values = json.loads(text, object_pairs_hook=_distinct)
        except RecipeError:
            raise
        except (ValueError, RecursionError):
            raise RecipeError("recipe", f"must be JSON, not {shown(text)}") from None
        return cls.from_dict(values)

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


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The dict of a JSON object whose names are all different."""
    values: dict[str, object] = {}
    for name, value in pairs:
        if name in values:
            raise RecipeError("recipe", f"must not hold {shown(name)} twice")
        values[name] = value
    return values
