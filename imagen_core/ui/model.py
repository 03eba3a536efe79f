"""Models that load in the background, so that the page is there before their weights are."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from imagen_core.checkpoint_error import CheckpointError
from imagen_core.deepfloyd_options import Options
from imagen_core.model_names import ModelName, model_named
from imagen_core.presets import PRESETS
from imagen_core.recipe import Recipe, RecipeError
from imagen_core.sampling_thread import done_there, is_here
from imagen_core.ui.errors import sentence
from imagen_core.ui.room import Room
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
    """Loads once, on the first wish or ahead of it; safe to ask from any thread.

    A large one stays only until another large one of its page loads; then it is as before the first wish.
    """

    def __init__(self, load: Callable[[], Imagen], memory: Callable[[], str] = str, room: Room | None = None) -> None:
        """Take what loads the model, and what tells in a sentence how much memory it will take, "" for little.

        room: of a large model, the one that it shares with the others of its page.
        """
        self._load = load
        self._told: list[str] = []
        self.memory = memory
        self._room = room
        self._lock = threading.Lock()
        self._imagen: Imagen | None = None
        self._failure: Exception | None = None

    @property
    def loaded(self) -> Imagen | None:
        """The model, where it is loaded."""
        return self._imagen

    @property
    def ready(self) -> bool:
        """Whether `get` answers at once."""
        return self._imagen is not None

    @property
    def gave_way(self) -> bool:
        """Whether another large model has its place, so that it loads only when somebody wants to draw with it."""
        return self._imagen is None and self._room is not None and self._room.is_another_s(self)

    def get(self) -> Imagen:
        """The model, as soon as it is loaded. Raises what loading raised; the next call tries again.

        Where it is drawn, a large model is not loaded: its room may be given to another one, which waits for the
        sampling thread. It raises `CheckpointError` there.
        """
        if (imagen := self._imagen) is not None:  # no lock then: in a forked process it might be held for good
            return imagen
        if self._room is not None and is_here():
            raise CheckpointError("Another large model was asked for and took this one's place: draw again to load it.")
        with self._lock:
            return self._imagen or self._get()

    def _get(self) -> Imagen:
        self._told.clear()  # what was told before it was let go
        if self._room is not None and self._room.busy:
            self.tell("It waits until another large model, which somebody asked for before, has loaded.")
        with nullcontext() if self._room is None else self._room.given_to(self):
            try:
                imagen = self._load()
            except Exception as error:
                self._failure = error
                self._told.clear()
                raise
            self._imagen, self._failure = imagen, None
            return imagen

    def let_go(self) -> None:
        """Be as before the first `get`: neither this process nor the accelerator holds anything of the model then.

        Nobody may draw with it meanwhile.
        """
        import torch

        if self._imagen is not None:
            self._imagen.cascade.forget()
        self._imagen = None
        self._failure = None  # its frames hold what was loaded until then
        gc.unfreeze()  # networks that take turns hold each other; what is frozen is never collected
        gc.collect()
        gc.freeze()
        torch.cuda.empty_cache()

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
        """Begin to load, and return. What goes wrong is told to the first who asks for the model.

        Where another large model has its place nothing is done: somebody may be drawing with that one.
        """
        if self.gave_way:
            return
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
    """The model `first`, loaded with `options`, and behind it all presets, without.

    Of the large ones among them one at a time is in memory.
    """
    default, room = first.recipe.model, Room()
    presets = {
        name: _background(name, room if preset.fetched else None) for name, preset in PRESETS.items() if name != default
    }
    begun = _background(first.source, room if first.is_deepfloyd else None, options)
    return Models(default, {default: begun} | presets)


def _background(source: str, room: Room | None, options: Options | None = None) -> BackgroundModel:
    load = partial(pretrained, source, options=options)
    model = BackgroundModel(lambda: load(model.tell), partial(expected_memory, source, options), room)
    return model
