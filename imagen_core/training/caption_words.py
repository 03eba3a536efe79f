"""The words that captions are made of, beside the names of things; which of them is said is drawn in `captions`."""

from __future__ import annotations

from imagen_core.training.backgrounds import PLAIN
from imagen_core.vocabulary import article

SMALL_WORDS, BIG_WORDS = ("small", "little", "tiny"), ("big", "large", "huge")
FILLERS = ("cute", "happy", "beautiful", "shiny", "funny", "lovely", "nice", "pretty", "friendly", "simple")
PICTURES = ("picture", "image", "drawing", "illustration", "icon")
OTHER_COLOUR_WORDS = {
    "red": ("crimson", "scarlet"),
    "yellow": ("golden",),
    "green": ("emerald",),
    "blue": ("azure",),
    "purple": ("violet",),
    "pink": ("magenta",),
    "gray": ("grey", "silver"),
}
PLURAL_NAMES = {  # of one thing, which take no article
    *("grapes", "cherries", "pancakes", "hotcakes", "fries", "french fries", "chips", "scissors", "shears"),
    *("sunglasses", "shades", "spectacles", "glasses", "headphones", "earphones"),
    *("jeans", "pants", "denims", "trousers"),
    *("socks", "stockings", "cutlery", "silverware"),
}
OTHER_STYLE_WORDS = {
    "flat": ("vector", "clip art"),
    "cartoon": ("comic",),
    "pixel art": ("pixelated", "8-bit"),
    "sketch": ("doodle", "scribble"),
}
VAGUE_NUMBERS = ("some", "several", "many")
BESIDE = ("next to", "beside", "near")  # to the left or to the right
TOGETHER = ("and", "with")  # in any relation
OTHER_RELATION_WORDS = {
    "left": ("left of", "on the left of", *BESIDE),
    "right": ("right of", "on the right of", *BESIDE),
    "above": ("over", "on top of", "on", "sitting on", "standing on", "riding", "riding on"),
    "below": ("under", "beneath"),
}

BACKGROUND_WORDS = {
    name: f"on {_a} {name} background" for name, _a in ((name, "an" if name[0] in "aeiou" else "a") for name in PLAIN)
} | {
    "sky": "in the sky",
    "sunset": "at sunset",
    "night": "under a starry night sky",
    "meadow": "on a meadow",
    "beach": "on a beach",
    "snow": "in the snow",
    "desert": "in the desert",
    "table": "on a wooden table",
    "water": "on the water",
}

OTHER_BACKGROUND_WORDS = {name: (f"with {words.removeprefix('on ')}",) for name, words in BACKGROUND_WORDS.items()} | {
    "gray": ("with a gray background", "on a grey background"),
    "sky": ("in a blue sky", "among the clouds", "in the clouds", "in the air"),
    "sunset": ("in the sunset", "in the evening", "at dusk", "at sundown"),
    "night": ("at night", "under the stars", "in the night sky", "in space"),
    "meadow": ("in a meadow", "on the grass", "in the grass", "in a field", "on a lawn", "in a park", "in the garden"),
    "beach": ("on the beach", "at the beach", "at the seaside", "by the sea"),
    "snow": ("on snow", "in winter", "on a snowy field"),
    "desert": ("in a desert", "on the sand", "in the dunes"),
    "table": ("on a table", "on the table", "on a wooden floor", "on a desk"),
    "water": ("in the water", "on the sea", "on a lake", "in the sea", "on the ocean", "in the ocean"),
}

# What people say that things do in a place; it shows in no picture.
POSTURES = dict.fromkeys(("meadow", "beach", "snow", "desert", "table"), ("standing", "sitting", "lying")) | {
    "sky": ("flying", "floating"),
    "water": ("swimming", "floating"),
}


BACKGROUND_NAMES = {name: f"{name} background" for name in PLAIN} | {
    "sky": "sky",
    "sunset": "sunset",
    "night": "starry night sky",
    "meadow": "meadow",
    "beach": "beach",
    "snow": "snow",
    "desert": "desert",
    "table": "wooden table",
    "water": "water",
}


def one(words: str, name: str) -> str:
    """Words that end with the name of one thing, with their article: "a red apple", but "black scissors"."""
    return words if name in PLURAL_NAMES else f"{article(words)} {words}"
