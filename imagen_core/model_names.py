"""What a person may call a model: a preset, a folder with weights, or a repository of the Hub with a first stage.

Every door that takes a name (the page's flag, the command line, `Imagen.from_pretrained`) asks here, so that they mean
the same by it. Nothing is loaded, nothing fetched, and of a folder the schedulers' configurations alone are read.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from imagen_core.presets import DEEPFLOYD_BASE, DEEPFLOYD_SR256, LOCAL, PRESETS, UPSCALER_SR1024, Preset
from imagen_core.recipe import STAGES, Recipe

INDEX = "model_index.json"  # in the folder of every stage that diffusers wrote
SCHEDULER = "scheduler/scheduler_config.json"  # there, too
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}"
_REPOSITORY = re.compile(f"{_PART}/{_PART}")
_NO_REPOSITORY = re.compile(r"--|\.\.|[.-](?:/|$)|/[.-]|\.git$")  # what the Hub allows in no name


@dataclass(frozen=True)
class ModelName:
    """A model that was asked for.

    source: the preset's name, the folder or the repository. recipe: what a prompt alone stands for; `recipe.model` is
    the model's name in recipes. preset: None for others. In DeepFloyd IF's layout, by stage: the folders of a model
    that is here, or the repositories of one that is fetched.
    """

    source: str
    recipe: Recipe
    preset: Preset | None = None
    folders: tuple[tuple[str, Path], ...] = ()
    repositories: tuple[tuple[str, str], ...] = ()

    @property
    def is_deepfloyd(self) -> bool:
        """Whether it is one of the large models, or one in their layout."""
        return bool(self.folders or self.repositories)


def model_named(name: str) -> ModelName | None:
    """The model called `name`, or None. A preset is meant before a folder, and a folder before a repository.

    A preset's repository stands for the preset; any other is a model of a first stage alone.
    """
    if name in PRESETS:
        return _preset(PRESETS[name])
    if os.path.isdir(name):
        return _folder(name)
    for preset in PRESETS.values():
        if preset.repositories.get("base") == name:
            return _preset(preset)
    if _REPOSITORY.fullmatch(name) and not _NO_REPOSITORY.search(name):
        return ModelName(name, deepfloyd_recipe(["base"]), repositories=(("base", name),))
    return None


def _preset(preset: Preset) -> ModelName:
    return ModelName(preset.name, preset.recipe, preset, repositories=tuple(preset.repositories.items()))


def _folder(name: str) -> ModelName:
    folder = Path(name)
    folders = [(stage, folder / stage) for stage in STAGES if (folder / stage / INDEX).is_file()]
    if (folder / INDEX).is_file():
        folders = [("base", folder)]
    if not any(stage == "base" for stage, _ in folders):
        return ModelName(name, Recipe(model=LOCAL))
    if not any(stage == "sr256" for stage, _ in folders):
        folders = folders[:1]  # the third stage enlarges the second one's pictures
    recipe = deepfloyd_recipe([stage for stage, _ in folders])
    for stage, part in folders:
        recipe = _thresholded(recipe, stage, part)
    return ModelName(name, recipe, folders=tuple(folders))


def _thresholded(usual: Recipe, stage: str, folder: Path) -> Recipe:
    """A recipe with the percentile of a stage's checkpoint; the usual one where it has none that a recipe may hold.

    A file that cannot be read is told when the stage is loaded. The values for names that are not there are those of
    diffusers.
    """
    try:
        config = json.loads((folder / SCHEDULER).read_text(encoding="utf-8"))
        if not config.get("thresholding", False):
            return usual
        percentile = round(100 * config.get("dynamic_thresholding_ratio", 0.995), 6)
        return usual.updated({stage: {"percentile": percentile}})
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return usual


def deepfloyd_recipe(stages: Collection[str]) -> Recipe:
    """The default recipe of weights of one's own in DeepFloyd IF's layout: as the presets', of all stages there are."""
    last = "sr1024" if "sr256" in stages else "base"
    recipe = Recipe(model=LOCAL, last_stage=last, base=DEEPFLOYD_BASE, sr256=DEEPFLOYD_SR256)
    return replace(recipe, sr1024=UPSCALER_SR1024) if "sr1024" in stages else recipe


def allowed_names() -> str:
    """The names that are no folder's, for a sentence."""
    return f"{', '.join(PRESETS)}, a repository (owner/name)"
