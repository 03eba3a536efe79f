"""Models that load in the background, so that the page is there before their weights are."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from imagen_core.deepfloyd_options import Options
from imagen_core.model_names import ModelName, model_named
from imagen_core.presets import PRESETS
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.sampling_thread import done_there
from imagen_core.ui.errors import sentence
from imagen_core.zero_gpu import is_lent

if TYPE_CHECKING:
    from imagen_core.imagen import Imagen

_POLL = 0.05  # seconds


def pretrained(name: str, tell: Callable[[str], None], options: Options | None = None) -> Imagen:
    """`Imagen.from_pretrained(name)`, with the imports that take longer than the page, ready to draw at once."""
    from imagen_core.imagen import Imagen

    imagen = Imagen.from_pretrained(name, options=options, tell=tell)
    model = model_named(name)
    large = model is not None and model.is_deepfloyd  # a step of a large model may take minutes
    if not large and not is_lent():  # where it is lent, this process has no accelerator
        done_there(imagen.warm_up)
    # What is here by now stays, so the collector need not look at it again: with torch, transformers and gradio that
    # takes a quarter of a second, in the middle of somebody's picture.
    gc.collect()
    gc.freeze()
    return imagen


def expected_memory(name: str, options: Options | None = None) -> str:
    """What a large model will take of the memory, in a sentence, or why that cannot be told; "" for a small one."""
    from imagen_core.imagen import expected_memory

    try:
        return str(expected_memory(name, options=options) or "")
    except Exception as error:
        return sentence(error)


class BackgroundModel:
    """Loads once, on the first wish or ahead of it; safe to ask from any thread."""

    def __init__(self, load: Callable[[], Imagen], memory: Callable[[], str] = str) -> None:
        """Take what loads the model, and what tells in a sentence how much memory it will take, "" for little."""
        self._load = load
        self._told: list[str] = []
        self.memory = memory
        self._lock = threading.Lock()
        self._imagen: Imagen | None = None
        self._failure: Exception | None = None

    @property
    def ready(self) -> bool:
        """Whether `get` answers at once."""
        return self._imagen is not None

    def get(self) -> Imagen:
        """The model, as soon as it is loaded. Raises what loading raised; the next call tries again."""
        if self._imagen is not None:  # no lock then: in a forked process it might be held for good
            return self._imagen
        with self._lock:
            if self._imagen is None:
                try:
                    self._imagen = self._load()
                except Exception as error:
                    self._failure = error
                    self._told.clear()
                    raise
            self._failure = None
            return self._imagen

    def tell(self, text: str) -> None:
        """Let those who wait for the model know something."""
        self._told.append(text)

    def load(self) -> Iterator[str]:
        """Load the model as `get` does, and yield meanwhile what is told of it. Raises what `get` raises."""
        heard = 0
        failures: list[Exception] = []
        done = threading.Event()

        def get() -> None:
            try:
                self.get()
            except Exception as error:
                failures.append(error)
            done.set()

        threading.Thread(target=get, name="load model", daemon=True).start()
        while True:
            ended = done.wait(_POLL)
            while heard < len(self._told):
                yield self._told[heard]
                heard += 1
            if failures:
                raise failures[0]
            if ended:
                return

    @property
    def failure(self) -> Exception | None:
        """Why loading failed the last time, if it did."""
        return self._failure

    def load_ahead(self) -> None:
        """Begin to load, and return. What goes wrong is told to the first who asks for the model."""
        threading.Thread(target=self._load_quietly, name="load model", daemon=True).start()

    def _load_quietly(self) -> None:
        try:
            self.get()
        except Exception:  # `get` raises it again for a person who can read it
            return


@dataclass(frozen=True)
class Models:
    """The models of a page by their names in recipes; `default` is the one that it begins with."""

    default: str
    offered: Mapping[str, BackgroundModel]

    @property
    def first(self) -> BackgroundModel:
        """The one that the page begins with."""
        return self.offered[self.default]

    def of(self, recipe: Recipe) -> BackgroundModel:
        """The one that a recipe is for. Raises `RecipeError` where the page has none."""
        model = self.offered.get(recipe.model)
        if model is None:
            raise RecipeError("model", f"must be one of {', '.join(self.offered)}, not {recipe.model}")
        return model


def offered(first: ModelName, options: Options | None = None) -> Models:
    """The model `first`, loaded with `options`, and behind it all presets, without."""
    default = first.recipe.model
    presets = {name: _background(name) for name in PRESETS if name != default}
    return Models(default, {default: _background(first.source, options)} | presets)


def _background(source: str, options: Options | None = None) -> BackgroundModel:
    load = partial(pretrained, source, options=options)
    model = BackgroundModel(lambda: load(model.tell), partial(expected_memory, source, options))
    return model
