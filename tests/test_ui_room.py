"""A page holds one large model at a time: the one before it leaves the memory, and nobody's picture breaks of that."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from weakref import ref

import pytest

from imagen_core.drafts import Drafts
from imagen_core.imagen import Imagen
from imagen_core.model_names import model_named
from imagen_core.presets import PRESETS
from imagen_core.recipe import Recipe
from imagen_core.sampling_thread import ahead, done_there
from imagen_core.ui.draft_drawing import DraftOrder, drafting
from imagen_core.ui.draft_messages import DraftMessages
from imagen_core.ui.drawing import Order, drawing
from imagen_core.ui.handlers import Handlers
from imagen_core.ui.messages import Messages
from imagen_core.ui.model import BackgroundModel, Models, offered
from imagen_core.ui.reading import prompt_reader
from imagen_core.ui.room import Room
from tests.conftest import make_tiny_imagen
from tests.test_ui_handlers import Page, visitor
from tests.ui_page import in_a_loop

QUICK = Recipe(prompt="an apple", last_stage="base").updated({"base": {"num_steps": 2}})
MEDIUM, LARGE = (replace(QUICK, model=f"deepfloyd-if-{size}") for size in "ml")


class Loading:
    """Loads tiny models under the names of large ones, and knows which of them are still in memory."""

    def __init__(self) -> None:
        self.made: list[tuple[str, ref[Imagen], ref[Any]]] = []

    def of(self, recipe: Recipe) -> Imagen:
        tiny = make_tiny_imagen()
        imagen = Imagen(tiny.cascade, recipe, tiny.vocabulary)
        unet: Any = tiny.cascade.stages["base"].unet
        unet.register_forward_pre_hook(Hook(unet).call)  # they hold each other, as networks that take turns do
        self.made.append((recipe.model, ref(imagen), ref(unet)))
        gc.freeze()
        return imagen

    @property
    def here(self) -> list[str]:
        """Those of which anything is left."""
        return [name for name, imagen, unet in self.made if imagen() is not None or unet() is not None]


class Hook:
    def __init__(self, network: object) -> None:
        self.network = network

    def call(self, *_: object) -> None:
        """Change nothing."""


@pytest.fixture
def loading() -> Loading:
    return Loading()


@pytest.fixture
def models(loading: Loading) -> Models:
    room = Room()
    large = {r.model: BackgroundModel(load_of(loading, r), room=room) for r in (MEDIUM, LARGE)}
    return Models("bundled", {"bundled": BackgroundModel(load_of(loading, Recipe()))} | large)


def load_of(loading: Loading, recipe: Recipe) -> Callable[[], Imagen]:
    return lambda: loading.of(recipe)


def test_drawing_with_another_large_model_lets_the_one_before_go(loading: Loading, models: Models) -> None:
    """Pictures of deepfloyd-if-m and then of -l left both on a card that has not room for two."""
    page = in_a_loop(Page)
    handlers = Handlers(models, page.form, page.outputs, "")
    drafted = ahead(drafting(models.offered))
    for recipe, here in (
        (QUICK, ["bundled"]),
        (MEDIUM, ["bundled", MEDIUM.model]),
        (LARGE, ["bundled", LARGE.model]),
        (MEDIUM, ["bundled", MEDIUM.model]),
        (QUICK, ["bundled", MEDIUM.model]),
    ):
        values = page.form.show(recipe) | {page.form.controls["model"]: recipe.model}
        assert list(handlers.draw(values, visitor()))[-1]["kind"] == "finished"
        order = DraftOrder(Drafts(recipe, 1, ()), DraftMessages())
        assert list(drafted(order, lambda _: None))[-1]["kind"] == "finished"
        assert loading.here == here
    assert [name for name, *_ in loading.made] == ["bundled", MEDIUM.model, LARGE.model, MEDIUM.model]


def test_the_models_of_a_page_share_the_room_but_for_the_bundled_one(
    loading: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagen_core.ui.model.pretrained", lambda name, tell, options: loading.of(PRESETS[name].recipe))
    first = model_named(MEDIUM.model)
    assert first is not None
    models = offered(first)
    for name in (MEDIUM.model, "bundled", LARGE.model, "deepfloyd-if-xl-x4"):
        models.offered[name].get()
    assert loading.here == ["bundled", "deepfloyd-if-xl-x4"]


def test_a_run_that_goes_on_comes_to_its_end_before(loading: Loading, models: Models) -> None:
    medium, large = models.offered[MEDIUM.model], models.offered[LARGE.model]
    medium.get()
    recipe = MEDIUM.updated({"base": {"num_steps": 30}})
    run = ahead(drawing(models.offered))(Order(recipe, Messages()), lambda _: None)
    next(run)
    other = threading.Thread(target=large.get)
    other.start()
    other.join(0.2)
    assert not large.ready
    assert list(run)[-1]["kind"] == "finished"
    other.join(60)
    assert (large.ready, medium.ready) == (True, False)
    assert loading.here == [LARGE.model]


def test_whose_model_was_let_go_before_the_run_began_is_told_in_a_sentence(loading: Loading, models: Models) -> None:
    """Nothing is loaded in the sampling thread: who loads another large model waits for that thread."""
    models.offered[MEDIUM.model].get()
    models.offered[LARGE.model].get()
    (failed,) = ahead(drawing(models.offered))(Order(MEDIUM, Messages()), lambda _: None)
    text = "Another large model was asked for and took this one's place: draw again to load it."
    assert (failed["kind"], failed["text"]) == ("failed", text)
    assert loading.here == [LARGE.model]
    assert done_there(models.first.get) is models.first.loaded  # the bundled model has a place of its own


def test_two_that_are_asked_for_at_once_load_one_after_the_other(loading: Loading) -> None:
    room, begun, go_on = Room(), threading.Event(), threading.Event()

    def slow() -> Imagen:
        begun.set()
        assert go_on.wait(60)
        return loading.of(MEDIUM)

    medium, large = BackgroundModel(slow, room=room), BackgroundModel(lambda: loading.of(LARGE), room=room)
    medium.load_ahead()
    assert begun.wait(60)
    told = large.load()
    assert next(told) == "It waits until another large model, which somebody asked for before, has loaded."
    assert loading.here == []
    go_on.set()
    assert list(told) == []
    deadline = time.monotonic() + 60
    while loading.here != [LARGE.model] and time.monotonic() < deadline:
        time.sleep(0.01)  # until the thread that loaded the first one, and still held it, is at its end
    assert loading.here == [LARGE.model]


def test_what_a_failed_loading_left_in_memory_goes_too(loading: Loading) -> None:
    def failing() -> Imagen:
        half = loading.of(MEDIUM)
        raise MemoryError(f"no room for the rest of {half.name}")

    room = Room()
    medium, large = BackgroundModel(failing, room=room), BackgroundModel(lambda: loading.of(LARGE), room=room)
    with pytest.raises(MemoryError):
        medium.get()
    large.get()
    assert loading.here == [LARGE.model]
    assert medium.failure is None


def test_opening_the_page_does_not_load_a_first_model_that_gave_way(loading: Loading, models: Models) -> None:
    """Every visitor who only looked would have taken the model away from the one who draws."""
    models = Models(MEDIUM.model, models.offered)
    models.first.get()
    models.offered[LARGE.model].get()
    assert models.first.gave_way
    models.first.load_ahead()
    done_there(int)
    assert not [thread for thread in threading.enumerate() if thread.name == "load model"]
    assert not models.first.ready
    assert prompt_reader(models)({"prompt": "a pear"}) == {}  # not "loading", for it is not
    models.first.get()
    assert loading.here == [MEDIUM.model]
    assert "num_tokens" in prompt_reader(models)({"prompt": "a pear"})
