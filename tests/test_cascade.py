"""The cascade on a tiny real model: what it yields, what it keeps, how it stops, and what fails alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from imagen_core.cascade import KEPT_BYTES
from imagen_core.events import Event, Preview, PromptEncoded, StageError, StageFinished, StageStarted
from imagen_core.imagen import Imagen
from imagen_core.images import to_pil
from imagen_core.recipe import MAX_PIXELS, SIZES, Recipe
from imagen_core.stage import is_out_of_memory

FAST = {"base": {"num_steps": 4}, "sr256": {"num_steps": 3}, "sr1024": {"num_steps": 2}}


def fast(prompt: str = "a red apple", seed: int = 7) -> Recipe:
    return Recipe(prompt=prompt, seed=seed).updated(FAST)


def finished(events: list[Event]) -> dict[str, Tensor]:
    return {event.stage: event.x_0 for event in events if isinstance(event, StageFinished)}


def drawn_again(events: list[Event]) -> list[str]:
    return [event.stage for event in events if isinstance(event, StageStarted)]


def test_events_come_in_the_documented_order_and_shapes(tiny_imagen: Imagen) -> None:
    recipe = replace(fast(), num_images=2)
    events = list(tiny_imagen.stream(recipe))
    told = [(type(event).__name__, getattr(event, "stage", "")) for event in events]
    expected = [("PromptEncoded", "")]
    for stage in recipe.stages():
        steps = [("Preview", stage)] * recipe.stage(stage).num_steps
        expected += [("StageStarted", stage), *steps, ("StageFinished", stage)]
    assert told == expected
    for event in events:
        if isinstance(event, Preview):
            assert event.x_0.shape == event.x_t.shape == (2, 3, SIZES[event.stage], SIZES[event.stage])
            assert event.x_0.dtype == torch.float32
            assert len(event.stats.threshold) == len(event.stats.change) == 2
    for stage in recipe.stages():
        previews = [event for event in events if isinstance(event, Preview) and event.stage == stage]
        assert [event.step for event in previews] == list(range(1, len(previews) + 1))
        assert torch.equal(previews[-1].x_0, finished(events)[stage])


def test_last_stage_ends_the_cascade(tiny_imagen: Imagen) -> None:
    events = list(tiny_imagen.stream(replace(fast(), last_stage="sr256")))
    assert list(finished(events)) == ["base", "sr256"]


@pytest.mark.parametrize("scheduler", ["dpmsolver++", "ddpm"])
def test_image_i_alone_is_image_i_in_a_batch(make_imagen: Callable[[], Imagen], scheduler: str) -> None:
    stages = {name: {**values, "scheduler": scheduler} for name, values in FAST.items()}
    recipe = replace(fast(), num_images=3).updated(stages)
    together = finished(list(make_imagen().stream(recipe)))
    for image in range(3):
        alone = finished(list(make_imagen().stream(recipe.for_image(image))))
        for stage in recipe.stages():
            assert torch.equal(alone[stage][0], together[stage][image]), (stage, image)


def test_the_same_recipe_draws_the_same_pixels(make_imagen: Callable[[], Imagen]) -> None:
    first, second = (finished(list(make_imagen().stream(fast()))) for _ in range(2))
    assert all(torch.equal(first[stage], second[stage]) for stage in first)


@pytest.mark.parametrize("change", [{"prompt": "a dog"}, {"seed": 8}, {"negative_prompt": "blue"}])
def test_what_a_user_chose_reaches_the_picture(make_imagen: Callable[[], Imagen], change: dict[str, object]) -> None:
    recipe = replace(fast(), last_stage="base")
    first = make_imagen().generate(recipe)[0]
    second = make_imagen().generate(recipe.updated(change))[0]
    assert first.tobytes() != second.tobytes()


def test_a_later_stage_changes_alone(tiny_imagen: Imagen) -> None:
    before = finished(list(tiny_imagen.stream(fast())))
    events = list(tiny_imagen.stream(fast().updated({"sr1024": {"num_steps": 3, "aug_level": 0.4}})))
    after = finished(events)
    assert drawn_again(events) == ["sr1024"]
    assert [event.cached for event in events if isinstance(event, StageFinished)] == [True, True, False]
    assert torch.equal(before["base"], after["base"])
    assert torch.equal(before["sr256"], after["sr256"])
    assert not torch.equal(before["sr1024"], after["sr1024"])


def test_all_stages_are_drawn_anew_where_that_is_asked_for(tiny_imagen: Imagen) -> None:
    before = finished(list(tiny_imagen.stream(fast())))
    assert drawn_again(list(tiny_imagen.stream(fast()))) == []
    events = list(tiny_imagen.stream(fast(), anew=True))
    assert drawn_again(events) == ["base", "sr256", "sr1024"]
    assert all(torch.equal(images, before[stage]) for stage, images in finished(events).items())


def test_a_later_stage_changes_alone_without_the_cache_too(make_imagen: Callable[[], Imagen]) -> None:
    """The noise of a stage depends on nothing that another stage does."""
    before = finished(list(make_imagen().stream(fast())))
    changed = fast().updated({"sr256": {"num_steps": 5, "scheduler": "ddpm", "seed": 99}})
    after = finished(list(make_imagen().stream(changed)))
    assert torch.equal(before["base"], after["base"])
    assert not torch.equal(before["sr256"], after["sr256"])


def test_a_setting_never_runs_t5_again(tiny_imagen: Imagen) -> None:
    list(tiny_imagen.stream(fast()))
    runs = tiny_imagen.cascade.text_encoder.runs
    assert runs == 1
    events = list(tiny_imagen.stream(fast(seed=8).updated({"base": {"guidance_scale": 7.0}})))
    assert tiny_imagen.cascade.text_encoder.runs == runs
    encoded = [event for event in events if isinstance(event, PromptEncoded)]
    assert [event.cached for event in encoded] == [True]


def test_a_stage_can_have_a_prompt_of_its_own(make_imagen: Callable[[], Imagen]) -> None:
    events = list(make_imagen().stream(fast().updated({"sr256": {"prompt": "a green pear"}})))
    assert [event.prompt for event in events if isinstance(event, PromptEncoded)] == ["a red apple", "a green pear"]
    plain = finished(list(make_imagen().stream(fast())))
    assert torch.equal(finished(events)["base"], plain["base"])
    assert not torch.equal(finished(events)["sr256"], plain["sr256"])


def test_what_was_handed_out_is_never_written_to(tiny_imagen: Imagen) -> None:
    held: list[tuple[Tensor, Tensor]] = []
    for event in tiny_imagen.stream(fast()):
        if isinstance(event, Preview):
            held += [(event.x_0, event.x_0.clone()), (event.x_t, event.x_t.clone())]
    assert held
    assert all(torch.equal(tensor, copy) for tensor, copy in held)


def test_closing_between_events_ends_the_run(tiny_imagen: Imagen) -> None:
    run = tiny_imagen.stream(fast())
    for event in run:
        if isinstance(event, Preview):
            run.close()
    assert isinstance(event, Preview)
    assert event.step == 1
    assert run.closed
    assert list(run) == []


def test_closing_from_another_thread_stops_within_one_block(tiny_imagen: Imagen) -> None:
    """The first block of a step waits until the run is closed; no other block may be entered after it."""
    entered: list[int] = []
    inside, closed = threading.Event(), threading.Event()
    unet = tiny_imagen.cascade.stages["base"].unet

    def hook(module: torch.nn.Module, inputs: object) -> None:
        entered.append(id(module))
        if len(entered) == 2:
            inside.set()
            assert closed.wait(30)

    for level in [*unet.down, *unet.up]:
        for block in level.blocks:
            block.register_forward_pre_hook(hook)
    run = tiny_imagen.stream(fast())
    events: list[Event] = []
    worker = threading.Thread(target=lambda: events.extend(run))
    worker.start()
    assert inside.wait(30)
    started = time.monotonic()
    run.close()
    assert time.monotonic() - started < 1, "close must not wait for the block"
    closed.set()
    worker.join(30)
    assert not worker.is_alive()
    assert len(entered) == 2
    assert not [event for event in events if isinstance(event, Preview)]


def test_two_runs_at_once_do_not_mix(tiny_imagen: Imagen, make_imagen: Callable[[], Imagen]) -> None:
    recipes = [fast("a cat", 1), fast("a dog", 2)]
    results: dict[int, dict[str, Tensor]] = {}

    def draw(index: int) -> None:
        results[index] = finished(list(tiny_imagen.stream(recipes[index])))

    threads = [threading.Thread(target=draw, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, recipe in enumerate(recipes):
        alone = finished(list(make_imagen().stream(recipe)))
        assert all(torch.equal(results[index][stage], alone[stage]) for stage in alone)


def test_nan_in_a_stage_names_it_and_keeps_the_pictures_before(tiny_imagen: Imagen) -> None:
    with torch.no_grad():
        next(tiny_imagen.cascade.stages["sr256"].unet.parameters()).fill_(torch.nan)
    events: list[Event] = []
    with pytest.raises(StageError) as raised:  # noqa: PT012
        for event in tiny_imagen.stream(fast()):
            events.append(event)
    assert raised.value.stage == "sr256"
    message = "sr256: step 1 of 3: the prediction at timestep 999 is not finite. The stages before it are good; "
    assert str(raised.value) == message + "another seed or guidance may help."
    picture = to_pil(finished(events)["base"])[0]
    assert picture.size == (64, 64)
    # The stage before is kept: a second try runs the failing stage only.
    again = tiny_imagen.stream(fast())
    told = []
    with pytest.raises(StageError):
        told.extend(again)
    assert "base" not in drawn_again(told)


def test_nan_in_the_first_stage_speaks_of_no_stage_before(tiny_imagen: Imagen) -> None:
    with torch.no_grad():
        next(tiny_imagen.cascade.stages["base"].unet.parameters()).fill_(torch.nan)
    with pytest.raises(StageError) as raised:
        list(tiny_imagen.stream(fast()))
    message = "base: step 1 of 4: the prediction at timestep 999 is not finite. Another seed or guidance may help."
    assert str(raised.value) == message


def test_memory_that_runs_out_is_told_in_a_sentence(tiny_imagen: Imagen) -> None:
    """A real allocation that fails; torch reports it on a processor as a plain RuntimeError."""
    tiny_imagen.cascade.stages["sr256"].unet.stem.register_forward_pre_hook(lambda *_: torch.empty(2**52))
    with pytest.raises(StageError) as raised:
        list(tiny_imagen.stream(fast()))
    expected = "sr256: there is not enough memory; ask for fewer images or an earlier last stage."
    assert str(raised.value) == expected


def test_memory_that_runs_out_in_the_text_encoder_is_told_in_a_sentence(tiny_imagen: Imagen) -> None:
    tiny_imagen.cascade.text_encoder.model.register_forward_pre_hook(lambda *_: torch.empty(2**52))
    with pytest.raises(StageError, match=r"^base: there is not enough memory; ask for a smaller model"):
        list(tiny_imagen.stream(fast("never read before")))


@pytest.mark.parametrize("text", ["can't allocate memory", "not enough memory"])  # on Windows the second
def test_memory_is_out_in_the_words_of_every_system(text: str) -> None:
    assert is_out_of_memory(RuntimeError(f"[enforce fail] DefaultCPUAllocator: {text}: you tried to allocate 8 bytes."))
    assert not is_out_of_memory(RuntimeError("a bug"))


def test_another_runtime_error_is_not_hidden(tiny_imagen: Imagen) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    tiny_imagen.cascade.stages["base"].unet.stem.register_forward_pre_hook(broken)
    with pytest.raises(RuntimeError, match="a bug"):
        list(tiny_imagen.stream(fast()))


def test_the_largest_recipe_is_kept_whole() -> None:
    """Else a change of its last stage would run the stages before it again."""
    largest = sum(MAX_PIXELS // SIZES["sr1024"] ** 2 * 3 * size**2 * 4 for size in SIZES.values())
    assert largest <= KEPT_BYTES


def test_kept_images_stay_below_their_limit(tiny_imagen: Imagen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagen_core.cascade.KEPT_BYTES", 3 * 64 * 64 * 4 * 2)  # two pictures of the base
    recipe = replace(fast(), last_stage="base")
    for seed in (1, 2, 3, 2, 1):
        events = list(tiny_imagen.stream(replace(recipe, seed=seed)))
        # 3 pushed out 1; 2 was still there; 1 had to be drawn again.
    assert drawn_again(events) == ["base"]
    assert drawn_again(list(tiny_imagen.stream(replace(recipe, seed=2)))) == []
