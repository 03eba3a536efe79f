"""The words of captions, written down a second time, apart from those that captions are made of."""

from __future__ import annotations

OTHER_COLOURS = {  # other names of colours
    "crimson": "red",
    "scarlet": "red",
    "golden": "yellow",
    "emerald": "green",
    "azure": "blue",
    "violet": "purple",
    "magenta": "pink",
    "grey": "gray",
    "silver": "gray",
}

FILLERS = {"cute", "happy", "beautiful", "shiny", "funny", "lovely", "nice", "pretty", "friendly", "simple"}

POSTURES = {  # words for what things do in a place, which show in no picture
    "standing": {"meadow", "beach", "snow", "desert", "table"},
    "sitting": {"meadow", "beach", "snow", "desert", "table"},
    "lying": {"meadow", "beach", "snow", "desert", "table"},
    "flying": {"sky"},
    "floating": {"sky", "water"},
    "swimming": {"water"},
}

COLOURS = {"red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray"}

NUMBERS = {"": 1, "a": 1, "an": 1, "two": 2, "three": 3, "four": 4, "2": 2, "3": 3, "4": 4}

VAGUE = {"some", "several", "many"}  # what stands before a plural without its number

SIZES = {"small": "small", "little": "small", "tiny": "small", "big": "big", "large": "big", "huge": "big"}

RELATIONS = ("left", "right", "above", "below")

MEANT = {  # what stands between two things, the longer words first, and the relations of which it is true
    "to the left of": {"left"},
    "on the left of": {"left"},
    "left of": {"left"},
    "to the right of": {"right"},
    "on the right of": {"right"},
    "right of": {"right"},
    "above": {"above"},
    "over": {"above"},
    "on top of": {"above"},
    "sitting on": {"above"},
    "standing on": {"above"},
    "riding on": {"above"},
    "riding": {"above"},
    "on": {"above"},
    "below": {"below"},
    "under": {"below"},
    "beneath": {"below"},
    "next to": {"left", "right"},
    "beside": {"left", "right"},
    "near": {"left", "right"},
    "and": set(RELATIONS),
    "with": set(RELATIONS),
}

PLACES = {
    " in the sky": "sky",
    " in a blue sky": "sky",
    " among the clouds": "sky",
    " in the clouds": "sky",
    " in the air": "sky",
    " at sunset": "sunset",
    " in the sunset": "sunset",
    " in the evening": "sunset",
    " at dusk": "sunset",
    " at sundown": "sunset",
    " under a starry night sky": "night",
    " at night": "night",
    " under the stars": "night",
    " in the night sky": "night",
    " in space": "night",
    " on a meadow": "meadow",
    " in a meadow": "meadow",
    " on the grass": "meadow",
    " in the grass": "meadow",
    " in a field": "meadow",
    " on a lawn": "meadow",
    " in a park": "meadow",
    " in the garden": "meadow",
    " on a beach": "beach",
    " on the beach": "beach",
    " at the beach": "beach",
    " at the seaside": "beach",
    " by the sea": "beach",
    " in the snow": "snow",
    " on snow": "snow",
    " in winter": "snow",
    " on a snowy field": "snow",
    " in the desert": "desert",
    " in a desert": "desert",
    " on the sand": "desert",
    " in the dunes": "desert",
    " on a wooden table": "table",
    " on a table": "table",
    " on the table": "table",
    " on a wooden floor": "table",
    " on a desk": "table",
    " on the water": "water",
    " in the water": "water",
    " on the sea": "water",
    " on a lake": "water",
    " in the sea": "water",
    " on the ocean": "water",
    " in the ocean": "water",
}

NAMES = {  # of the same places, in a list of words
    "sky": "sky",
    "sunset": "sunset",
    "starry night sky": "night",
    "meadow": "meadow",
    "beach": "beach",
    "snow": "snow",
    "desert": "desert",
    "wooden table": "table",
    "water": "water",
}

STYLES = ("flat", "cartoon", "pixel art", "sketch")
OTHER_STYLES = {  # other names of styles
    "vector": "flat",
    "clip art": "flat",
    "comic": "cartoon",
    "pixelated": "pixel art",
    "8-bit": "pixel art",
    "doodle": "sketch",
    "scribble": "sketch",
}
STYLE_NAMES = {style: style for style in STYLES} | OTHER_STYLES

PLAIN = {"white", "gray", "black", "blue", "green", "yellow", "pink", "orange", "purple"}

PAIRS = {"grapes", "cherries", "fries", "french fries", "chips", "scissors", "shears", "sunglasses", "shades"} | {
    *("spectacles", "glasses", "pancakes", "hotcakes", "headphones", "earphones", "jeans", "pants", "denims"),
    *("trousers", "socks", "stockings", "cutlery", "silverware"),
}  # names of one thing that take no article
