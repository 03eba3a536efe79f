"""A model that loads in the background, so that the page is there before its weights are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagen_core.imagen import Imagen


def pretrained(name: str) -> Imagen:
    """`Imagen.from_pretrained(name)`, with the imports that take longer than the page, ready to draw at once."""
    from imagen_core.imagen import Imagen

    imagen = Imagen.from_pretrained(name)
    imagen.warm_up()
    return imagen


class BackgroundModel:
    """Loads once, on the first wish or ahead of it; safe to ask from any thread."""

    def __init__(self, load: Callable[[], Imagen]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._imagen: Imagen | None = None
        self._failure: Exception | None = None

    @property
    def ready(self) -> bool:
        """Whether `get` answers at once."""
        return self._imagen is not None

    def get(self) -> Imagen:
        """The model, as soon as it is loaded. Raises what loading raised; the next call tries again."""
        with self._lock:
            if self._imagen is None:
                try:
                    self._imagen = self._load()
                except Exception as error:
                    self._failure = error
                    raise
            self._failure = None
            return self._imagen

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
