"""What the command line draws and prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from imagen_core.__main__ import main
from imagen_core.command_line import parse
from imagen_core.imagen import Imagen
from imagen_core.metadata import check_destination, read_recipe
from imagen_core.presets import LOCAL
from imagen_core.recipe import RULES, STAGES, Recipe
from tests.drawn_in_a_folder import FEW_STEPS, ONE_STAGE, drawn, never, pixels


def test_a_prompt_becomes_a_picture_that_carries_its_recipe(
    folder: Path, tiny_imagen: Imagen, capsys: pytest.CaptureFixture[str]
) -> None:
    assert drawn(tiny_imagen, "a red apple", "--seed", "7", "--output", "apple.png", *FEW_STEPS) == 0
    output, errors = capsys.readouterr()
    assert (output, errors) == ("apple.png\n", "")
    recipe = read_recipe(Path("apple.png"))
    assert (recipe.prompt, recipe.seed, recipe.base.num_steps, recipe.sr1024.num_steps) == ("a red apple", 7, 3, 1)
    with Image.open("apple.png") as picture:
        assert picture.size == (1024, 1024)
    assert os.listdir() == ["apple.png"]


def test_the_recipe_of_a_picture_a_file_or_a_link_draws_the_same_pixels(
    folder: Path, tiny_imagen: Imagen, capsys: pytest.CaptureFixture[str]
) -> None:
    assert drawn(tiny_imagen, "a red apple", "--seed", "7", *ONE_STAGE) == 0
    recipe = read_recipe(Path("out.png"))
    Path("recipe.json").write_text(recipe.to_json(), encoding="utf-8")
    sources = ["out.png", "recipe.json", recipe.to_link(), "?" + recipe.to_link()]
    sources += [f"http://127.0.0.1:7860/?{recipe.to_link()}#top", f"localhost:7860/?{recipe.to_link()}"]
    for source in sources:
        assert drawn(tiny_imagen, "--recipe", source, "--output", "again.png", "--quiet") == 0
        assert Path("again.png").read_bytes() == Path("out.png").read_bytes()
        Path("again.png").unlink()
    assert drawn(tiny_imagen, "--recipe", "out.png", "--quiet") == 0
    assert capsys.readouterr().out.endswith("\nagain.png\n"), "drawing a picture again leaves the first one alone"
    assert Path("again.png").read_bytes() == Path("out.png").read_bytes()
    assert drawn(tiny_imagen, "--recipe", "out.png", "--output", "other.png", "--seed", "8", "--quiet") == 0
    assert read_recipe(Path("other.png")) == recipe.updated({"seed": 8})
    assert pixels("other.png") != pixels("out.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes among its files")
def test_prompts_come_from_a_pipe(folder: Path, tiny_imagen: Imagen, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("pipe")
    with ThreadPoolExecutor(1) as writer:
        written = writer.submit(Path("pipe").write_text, "a red apple\na blue cup\n", encoding="utf-8")
        assert drawn(tiny_imagen, "--prompts", "pipe", *ONE_STAGE) == 0
        written.result()
    assert [read_recipe(Path(f"out-{index}.png")).prompt for index in (1, 2)] == ["a red apple", "a blue cup"]


def test_several_prompts_and_images_are_numbered_and_each_picture_can_be_drawn_alone(
    folder: Path, tiny_imagen: Imagen, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("prompts.txt").write_bytes("\ufeffa red apple\r\n\r\n  a blue cup\t\n".encode())
    arguments = ("--prompts", "prompts.txt", "--num-images", "2", "--seed", "5")
    assert drawn(tiny_imagen, *arguments, "--output", "set.png", *ONE_STAGE) == 0
    names = ["set-1.png", "set-2.png", "set-3.png", "set-4.png"]
    assert capsys.readouterr().out.splitlines() == names
    recipes = [read_recipe(Path(name)) for name in names]
    assert [(recipe.prompt, recipe.seed, recipe.num_images) for recipe in recipes] == [
        ("a red apple", 5, 1),
        ("a red apple", 6, 1),
        ("a blue cup", 5, 1),
        ("a blue cup", 6, 1),
    ]
    assert len({pixels(name) for name in names}) == 4
    for name in names[1:3]:
        assert drawn(tiny_imagen, "--recipe", name, "--output", "alone.png", "--quiet") == 0
        assert pixels("alone.png") == pixels(name)


def test_numbers_sort_like_their_pictures(folder: Path, tiny_imagen: Imagen) -> None:
    assert drawn(tiny_imagen, "x", "--num-images", "10", *ONE_STAGE) == 0
    assert sorted(os.listdir()) == [f"out-{number:02}.png" for number in range(1, 11)]


def test_a_picture_that_is_there_is_replaced(folder: Path, tiny_imagen: Imagen) -> None:
    Path("out.png").write_bytes(b"before")
    assert drawn(tiny_imagen, "x", *ONE_STAGE) == 0
    assert read_recipe(Path("out.png")).prompt == "x"


def test_a_folder_is_tried_once_for_all_its_pictures(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was for each: 2,000 prompts of 16 pictures were silent for six seconds before anything was said."""
    tried: list[Path] = []

    def check_and_count(path: Path) -> None:
        check_destination(path)
        tried.append(path)

    monkeypatch.setattr("imagen_core.command_line.check_destination", check_and_count)
    Path("out-03.png").write_bytes(b"before")
    assert len(parse(["x", "--num-images", "12"]).paths[0]) == 12
    assert tried == [Path("out-01.png")]
    assert os.listdir() == ["out-03.png"]


def test_progress_is_shown_on_stderr(folder: Path, tiny_imagen: Imagen, capsys: pytest.CaptureFixture[str]) -> None:
    assert drawn(tiny_imagen, "x", "--last-stage", "sr256", "--steps", "3", "--set", "sr256.num_steps=2") == 0
    output, errors = capsys.readouterr()
    assert output == "out.png\n"
    assert "base   64 px: 100%" in errors
    assert "3/3" in errors
    assert "sr256  256 px: 100%" in errors
    assert "2/2" in errors


def test_what_the_text_encoder_did_not_read_is_told(
    folder: Path, tiny_imagen: Imagen, capsys: pytest.CaptureFixture[str]
) -> None:
    assert drawn(tiny_imagen, "apple " * 160, *ONE_STAGE) == 0
    errors = capsys.readouterr().err
    assert errors.startswith("imagen_core: note: the text encoder reads ")
    assert errors.endswith(" characters).\n")
    assert errors.count("\n") == 1


def test_recipes_and_links_are_printed_without_drawing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = Recipe(prompt="ein grüner Apfel").updated({"base": {"num_steps": 5}, "sr256": {"guidance_scale": 2.5}})
    arguments = ["ein grüner Apfel", "--num-steps", "5", "--set", "sr256.guidance_scale=2.5"]
    assert main([*arguments, "--print-recipe"], load=never) == 0
    assert Recipe.from_json(capsys.readouterr().out) == expected
    assert main([*arguments, "--print-link"], load=never) == 0
    printed = capsys.readouterr().out
    assert printed == expected.to_link() + "\n"
    assert main(["--recipe", printed.strip(), "--print-recipe"], load=never) == 0
    assert json.loads(capsys.readouterr().out) == expected.to_dict()
    assert os.listdir() == []


def test_every_value_of_a_recipe_can_be_given(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["x", "--seed", "1", "--num-images", "2", "--negative-prompt", "=&", "--last-stage", "sr256"]
    arguments += ["--guidance-scale", "2", "--model", "bundled", "--print-recipe"]
    fields = dict.fromkeys((name.removeprefix("sr256.") for name in RULES if name.startswith("sr256.")), "1")
    fields |= {"num_steps": "9", "scheduler": "ddim", "spacing": "leading", "thresholding": "none"}
    fields |= {"percentile": "99", "prompt": "a=b"}
    texts = {f"{stage}.{name}": text for stage in STAGES for name, text in fields.items()} | {"base.aug_level": "0"}
    for name, text in texts.items():
        arguments += ["--set", f"{name}={text}"]
    assert main(arguments, load=never) == 0
    recipe = Recipe.from_json(capsys.readouterr().out)
    assert (recipe.seed, recipe.num_images, recipe.negative_prompt, recipe.last_stage) == (1, 2, "=&", "sr256")
    for stage in (recipe.base, recipe.sr256, recipe.sr1024):
        assert (stage.num_steps, stage.scheduler, stage.spacing, stage.percentile) == (9, "ddim", "leading", 99)
        assert (stage.guidance_scale, stage.prompt, stage.seed) == (1, "a=b", 1)


def test_a_recipe_for_a_folder_of_weights_says_so_and_names_no_path(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine").mkdir()
    assert main(["x", "--model", "mine", "--print-recipe"], load=never) == 0
    assert Recipe.from_json(capsys.readouterr().out) == Recipe(prompt="x", model=LOCAL)
    assert main(["--recipe", "prompt=y&model=local", "--model", "mine", "--print-recipe"], load=never) == 0
    assert Recipe.from_json(capsys.readouterr().out) == Recipe(prompt="y", model=LOCAL)


def test_help_tells_ranges_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"], load=never)
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "denoising steps of base, 1 to 250, by default " in text
    assert "a file that is there is replaced" in text
    assert "guidance_scale, guidance_start, guidance_end" in text


def test_a_mistake_is_told_without_importing_torch() -> None:
    code = (
        "import sys; from imagen_core.__main__ import main; code = main(['x', '--seed', '-1']); "
        "sys.exit(code if 'torch' not in sys.modules else 99)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == "imagen_core: seed must be a whole number from 0 to 4294967295, not -1.\n"
