"""The models that can be asked for by name, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from imagen_core.recipe import Recipe
from imagen_core.validation import Choice

LOCAL = "local"  # the model of a recipe that was drawn with weights from a folder, which no preset names


@dataclass(frozen=True)
class Preset:
    """A model: what it is called, who may use it for what, and the recipe that it is at its best with.

    name: the word for code, links and the command line. title, description: for people, one line and one paragraph.
    licence, licence_url: of the weights. recipe: the default recipe, with an empty prompt. size_mb: of all files that
    the model needs, in units of 10**6 bytes.
    """

    name: str
    title: str
    licence: str
    licence_url: str
    description: str
    recipe: Recipe
    size_mb: int


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            Preset(
                name="bundled",
                title="Imagen in miniature",
                licence="Apache-2.0",
                licence_url="https://www.apache.org/licenses/LICENSE-2.0",
                description=(
                    "A small cascade trained for this project, with nothing to download: objects, colours, counts and "
                    "positions as clean illustrations on simple backgrounds. It reads English, and a little German, "
                    "French and Romanian. It draws no photographs."
                ),
                recipe=Recipe(model="bundled"),
                size_mb=74,
            ),
        )
    }
)


def preset(name: str) -> Preset:
    """The preset called `name`. Raises `RecipeError` for a name that there is not."""
    return PRESETS[Choice(tuple(PRESETS)).check("model", name)]
