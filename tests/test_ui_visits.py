"""Stop ends the run of the one who pressed it."""

from __future__ import annotations

import threading

import pytest

from imagen_core.events import Preview
from imagen_core.imagen import Imagen
from imagen_core.ui.model import BackgroundModel
from imagen_core.ui.visits import Visits


def test_stop_reaches_the_own_run_only(tiny_imagen: Imagen) -> None:
    visits = Visits()
    with visits.open("one") as first, visits.open("two") as second:
        mine, theirs = tiny_imagen.stream(tiny_imagen.recipe("a")), tiny_imagen.stream(tiny_imagen.recipe("b"))
        first.attach(mine)
        second.attach(theirs)
        next(mine)
        assert visits.stop("one")
        assert mine.closed
        assert first.stopped
        assert not theirs.closed
        assert not second.stopped
    assert theirs.closed  # a visit that ends leaves nothing running
    assert not visits.stop("one")
    assert not visits.stop("two")


def test_stop_before_the_run_exists_stops_it(tiny_imagen: Imagen) -> None:
    visits = Visits()
    with visits.open("one") as visit:
        visits.stop("one")
        run = tiny_imagen.stream(tiny_imagen.recipe("a"))
        visit.attach(run)
        assert list(run) == []


def test_stop_from_another_thread_ends_a_long_run(tiny_imagen: Imagen) -> None:
    visits = Visits()
    recipe = tiny_imagen.recipe("a").updated({"base": {"num_steps": 250}})
    with visits.open("one") as visit:
        run = tiny_imagen.stream(recipe)
        visit.attach(run)
        seen = 0
        for event in run:
            seen += isinstance(event, Preview)
            if seen == 3:
                thread = threading.Thread(target=visits.stop, args=["one"])
                thread.start()
                thread.join()
        assert seen == 3


def test_model_loads_once_and_tries_again_after_a_failure(tiny_imagen: Imagen) -> None:
    answers = [RuntimeError("no weights"), tiny_imagen]

    def load() -> Imagen:
        answer = answers.pop(0)
        if isinstance(answer, Imagen):
            return answer
        raise answer

    model = BackgroundModel(load)
    with pytest.raises(RuntimeError, match="no weights"):
        model.get()
    assert not model.ready
    model.load_ahead()
    assert model.get() is tiny_imagen
    assert model.get() is tiny_imagen
    assert model.ready
