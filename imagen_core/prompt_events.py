"""Which prompts a stage reads, and the events that tell how the text encoder took them."""

from __future__ import annotations

import time
from collections.abc import Iterator

from imagen_core.events import PromptEncoded
from imagen_core.guidance import is_guided
from imagen_core.prompt_weights import parse
from imagen_core.recipe import Recipe
from imagen_core.stage import Stage, told_of_memory
from imagen_core.text_encoder import TextEncoder
from imagen_core.trajectory import legs
from imagen_core.variation import prompts


class PromptEvents:
    """The prompts of one run: each is told once, by the first stage whose text encoder reads it."""

    def __init__(self) -> None:
        self._told: set[tuple[TextEncoder, str, bool]] = set()

    def of(self, stage: Stage, recipe: Recipe) -> Iterator[PromptEncoded]:
        """Encode what `stage` reads of `recipe`, the one that draws it, and tell what was not told before.

        Raises:
            StageError: memory ran out.
        """
        first, second = prompts(recipe, stage.name)
        read = [(first, False)] if second is None else [(first, False), (str(second.end), False)]
        if recipe.negative_prompt.strip() and is_ever_guided(stage, recipe):
            read.append((recipe.negative_prompt, True))
        for text, negative in read:
            prompt = parse(text).text
            key = (stage.text_encoder, prompt, negative)
            if key not in self._told:
                self._told.add(key)
                with told_of_memory(stage.name, "ask for a smaller model, or free some"):
                    encoded = _encode(stage.text_encoder, prompt, negative)
                yield encoded


def is_ever_guided(stage: Stage, recipe: Recipe) -> bool:
    """Whether any step that `recipe` itself draws of `stage` is guided; those of a fork's parents do not count.

    Raises:
        RecipeError: a fork's place is behind the last step.
    """
    chosen = recipe.stage(stage.name)
    own = legs(recipe, stage.name, stage.noise_schedule)[-1]
    interval = (chosen.guidance_start, chosen.guidance_end)
    steps = range(own.start, own.end)
    return chosen.guidance_scale != 1 and any(is_guided(step, len(own.timesteps), interval) for step in steps)


def _encode(text_encoder: TextEncoder, prompt: str, negative: bool) -> PromptEncoded:
    started = time.monotonic()
    cached = text_encoder.is_cached(prompt)
    text_encoder.encode(prompt)
    reading = text_encoder.read(prompt)
    return PromptEncoded(
        prompt=prompt,
        num_tokens=reading.num_tokens,
        max_tokens=reading.max_tokens,
        kept=reading.kept,
        cut=reading.cut,
        unknown=reading.unknown,
        seconds=time.monotonic() - started,
        cached=cached,
        negative=negative,
    )
