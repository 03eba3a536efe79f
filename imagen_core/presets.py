"""The models that can be asked for by name, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from imagen_core.recipe import Recipe, StageRecipe
from imagen_core.validation import Choice

LOCAL = "local"  # the model of a recipe that was drawn with weights from a folder, which no preset names


@dataclass(frozen=True)
class Preset:
    """A model: what it is called, who may use it for what, and the recipe that it is at its best with.

    name: the word for code, links and the command line. title, description: for people, one line and one paragraph.
    licence, licence_url: of the weights. recipe: the default recipe, with an empty prompt. size_mb: of all files that
    the model needs, in units of 10**6 bytes. repositories: on the Hub, by stage; none where nothing is fetched.
    parameters: of its networks, by their names in the memory plan; as published, for a model whose files are not here.
    """

    name: str
    title: str
    licence: str
    licence_url: str
    description: str
    recipe: Recipe
    size_mb: int
    repositories: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, int] = field(default_factory=dict)

    @property
    def fetched(self) -> bool:
        """Whether the weights are another maker's, fetched from the Hub; their licence goes with every picture."""
        return bool(self.repositories)


# What DeepFloyd IF is drawn with: the learned variance is for "ddpm", the lists of steps were searched for it. The cap
# of dynamic thresholding (1.5, then 1.0) comes from the checkpoint, and of a folder the percentile, too.
DEEPFLOYD_BASE = StageRecipe(
    num_steps=50, scheduler="ddpm", spacing="smart50", guidance_scale=7.0, thresholding="dynamic", percentile=95.0
)
DEEPFLOYD_SR256 = StageRecipe(
    num_steps=50,
    scheduler="ddpm",
    spacing="smart50",
    guidance_scale=4.0,
    thresholding="dynamic",
    percentile=95.0,
    aug_level=0.25,
)

# As the x4 upscaler's own pipeline draws: latents, which have no range to threshold; 20 of its 350 levels of noise.
UPSCALER_SR1024 = StageRecipe(
    num_steps=50, scheduler="ddim", spacing="leading", guidance_scale=9.0, thresholding="none", aug_level=0.057
)
UPSCALER = "stabilityai/stable-diffusion-x4-upscaler"


# Published numbers of parameters, in millions, by the letters of the stages.
_FIRST: Mapping[str, int] = MappingProxyType({"M": 400, "L": 900, "XL": 4300})
_SECOND: Mapping[str, int] = MappingProxyType({"M": 450, "L": 1200})
_T5, _CHECKER = 4800, 300
CHECKER = "safety checker"  # its name in the memory plan
_UPSCALER = {"sr1024": 473, "CLIP": 340, "decoder": 55}


def _deepfloyd(letter: str, second: str, upscaler: bool = False) -> Preset:
    """DeepFloyd IF with the first stage `letter` and the second stage `second`.

    The third is the bundled one, or the x4 upscaler that IF's authors point to.
    """
    name = f"deepfloyd-if-{letter.lower()}{'-x4' * upscaler}"
    parameters = f"{_FIRST[letter] / 1000} billion"
    millions = {"T5": _T5, "base": _FIRST[letter], "sr256": _SECOND[second]}
    millions |= (_UPSCALER if upscaler else {}) | {CHECKER: _CHECKER}
    third = "Stable Diffusion's x4 upscaler as the third stage" if upscaler else "the bundled third stage"
    repositories = {"base": f"DeepFloyd/IF-I-{letter}-v1.0", "sr256": f"DeepFloyd/IF-II-{second}-v1.0"}
    recipe = Recipe(model=name, base=DEEPFLOYD_BASE, sr256=DEEPFLOYD_SR256)
    return Preset(
        name=name,
        title=f"DeepFloyd IF {letter}{' with the x4 upscaler' * upscaler}",
        licence=f"DeepFloyd IF License (non-commercial research){'; CreativeML Open RAIL++-M' * upscaler}",
        licence_url="https://huggingface.co/spaces/DeepFloyd/deepfloyd-if-license",
        description=(
            f"The large open cascade of Imagen's kind: T5-XXL, a first stage of {parameters} parameters, a second one, "
            f"and {third}. It reads English and draws photographs, paintings and text. Its weights are "
            "fetched once, after you have accepted their licence on the Hub; it wants a GPU, and takes minutes without."
        ),
        recipe=replace(recipe, sr1024=UPSCALER_SR1024) if upscaler else recipe,
        size_mb=2 * sum(millions.values()),  # two bytes a number
        repositories=MappingProxyType(repositories | ({"sr1024": UPSCALER} if upscaler else {})),
        parameters=MappingProxyType({network: number * 10**6 for network, number in millions.items()}),
    )


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
                size_mb=81,
            ),
            _deepfloyd("M", "M"),
            _deepfloyd("L", "M"),
            _deepfloyd("XL", "L"),
            _deepfloyd("M", "M", upscaler=True),
            _deepfloyd("L", "M", upscaler=True),
            _deepfloyd("XL", "L", upscaler=True),
        )
    }
)


def preset(name: str) -> Preset:
    """The preset called `name`. Raises `RecipeError` for a name that there is not."""
    return PRESETS[Choice(tuple(PRESETS)).check("model", name)]
