"""A check goes with the picture through every door: PNG, link, command line, page and API."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagen_core import fingerprint
from imagen_core.__main__ import main
from imagen_core.check import Check, Shared, StageCheck, digest, link_with_check
from imagen_core.imagen import Imagen
from imagen_core.metadata import CHECK_KEY, Carried, read_recipe, save_png
from imagen_core.recipe import Recipe
from imagen_core.recipe_source import Source, read_source
from imagen_core.shards import read_manifest, write_manifest
from imagen_core.ui.form import Form
from imagen_core.ui.handlers import Handlers
from imagen_core.ui.openings import Outputs
from tests.test_ui_handlers import SMALL, Page, page, visitor  # noqa: F401  the fixture `page`

ARGUMENTS = ("--last-stage", "sr256", "--steps", "2", "--set", "sr256.num_steps=1", "--quiet")


def drawn(imagen: Imagen, *arguments: str) -> int:
    imagen.cascade.forget()
    return main(arguments, load=lambda model: imagen)


def test_the_fingerprint_is_of_the_weights_alone(tmp_path: Path) -> None:
    for name in ("base-00001-of-00001.safetensors", "tokenizer.json", "vocabulary.json"):
        (tmp_path / name).write_text(name)
    write_manifest(tmp_path)
    before = fingerprint.of_manifest(read_manifest(tmp_path))
    (tmp_path / "vocabulary.json").write_text("other words")
    write_manifest(tmp_path)
    assert fingerprint.of_manifest(read_manifest(tmp_path)) == before
    (tmp_path / "base-00001-of-00001.safetensors").write_text("other weights")
    write_manifest(tmp_path)
    assert fingerprint.of_manifest(read_manifest(tmp_path)) != before


def test_a_repository_is_known_by_its_commit_and_a_folder_by_its_files(tmp_path: Path) -> None:
    snapshots = tmp_path / "models--DeepFloyd--IF-I-M-v1.0" / "snapshots"
    first, second, own = snapshots / "abc", snapshots / "def", tmp_path / "own"
    for folder in (first, second, own):
        (folder / "unet").mkdir(parents=True)
        (folder / "unet" / "model.safetensors").write_bytes(b"1234")
    of = fingerprint.of_folders
    assert of({"base": first}) == of({"base": first}) != of({"base": second})
    assert of({"base": first}) != of({"base": first}, "the third stage's")
    before = of({"base": own})
    (own / "unet" / "model.safetensors").write_bytes(b"12345")
    longer = of({"base": own})
    (own / "unet" / "config.json").write_text("{}")
    assert len({before, longer, of({"base": own})}) == 3


def test_a_png_carries_its_check(tmp_path: Path) -> None:
    picture, path = Image.new("RGB", (8, 8), "teal"), tmp_path / "apple.png"
    check = Check(digest(b"weights"), (StageCheck.of(picture),))
    save_png(picture, Recipe(), path, check)
    assert Carried(path).check() == Carried(path.read_bytes()).check() == check
    assert read_recipe(path) == Recipe()
    save_png(picture, Recipe(), path)
    assert Carried(path).check() is None


@pytest.mark.parametrize("text", ["", "1.damaged", "x" * 500_000])
def test_a_png_with_a_damaged_check_still_opens(tmp_path: Path, text: str) -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("imagen_recipe", Recipe(prompt="an apple").to_json())
    info.add_itxt(CHECK_KEY, text, zip=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "odd.png", pnginfo=info)
    assert Carried(tmp_path / "odd.png").check() is None
    assert read_source(str(tmp_path / "odd.png")) == Source(Recipe(prompt="an apple"))


def test_the_command_line_compares_with_the_first_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_imagen: Imagen, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert drawn(tiny_imagen, "an apple", "--num-images", "2", *ARGUMENTS) == 0
    assert capsys.readouterr().err == ""
    assert drawn(tiny_imagen, "--recipe", "out-2.png", "--output", "again.png", "--quiet") == 0
    told = "imagen_core: compared with the first picture of this recipe: {}.\n"
    assert capsys.readouterr().err == told.format("identical")
    source = read_source("out-2.png")
    recipe, shared = source.recipe, source.shared
    assert shared is not None
    link = f"https://example.org/?{link_with_check(recipe, shared.check)}"
    assert read_source(link) == source
    assert drawn(tiny_imagen, "--recipe", link, "--seed", "9", "--quiet") == 0
    assert capsys.readouterr().err == ""  # another recipe
    next(tiny_imagen.cascade.stages["base"].unet.parameters()).mul_(-3)
    tiny_imagen.weights = digest(b"others")
    again = replace(shared.check, weights=digest(b"weights"))
    link = f"https://example.org/?{link_with_check(recipe, again)}"
    assert drawn(tiny_imagen, "--recipe", link, "--quiet") == 0
    assert capsys.readouterr().err == told.format("another model")


def finished(handlers: Handlers, form: Form, outputs: Outputs, recipe: Recipe, shared: Shared | None) -> dict[str, Any]:
    *_, last = handlers.draw(form.show(recipe) | {outputs.shared: shared}, visitor())
    assert last["kind"] == "finished"
    return dict(last["files"][0])


def test_the_page_compares_with_what_was_opened(page: Page, tiny_imagen: Imagen) -> None:  # noqa: F811
    handlers = page.handlers(lambda: tiny_imagen)
    file = finished(handlers, page.form, page.outputs, SMALL, None)
    assert file["verdict"] == ""
    query = dict(part.split("=") for part in file["link"].split("&"))
    assert Check.from_text(query["check"]) is not None
    shared = Shared(Recipe.from_link(file["link"]), Check.from_text(query["check"]))  # type: ignore[arg-type]
    assert finished(handlers, page.form, page.outputs, SMALL, shared)["verdict"] == "identical"
    assert finished(handlers, page.form, page.outputs, replace(SMALL, seed=8), shared)["verdict"] == ""
    json.dumps(file)
