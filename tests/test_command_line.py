"""The command line: what it draws and writes, and the sentence that a person reads where it cannot."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import NoReturn

import pytest
from PIL import Image

from imagen_core.__main__ import main
from imagen_core.imagen import Imagen
from imagen_core.metadata import read_recipe
from imagen_core.presets import LOCAL
from imagen_core.recipe import RULES, STAGES, Recipe

FEW_STEPS = ("--steps", "3", "--set", "sr256.num_steps=2", "--set", "sr1024.num_steps=1", "--quiet")
ONE_STAGE = ("--steps", "2", "--last-stage", "base", "--quiet")


def never(model: str) -> NoReturn:
    raise AssertionError(f"{model} was loaded, though the arguments are wrong or ask for no picture")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def drawn(imagen: Imagen, *arguments: str) -> int:
    return main(arguments, load=lambda model: imagen)


def pixels(path: str | Path) -> bytes:
    with Image.open(path) as picture:
        return picture.tobytes()


# What it draws


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
    sources += [f"http://127.0.0.1:7860/?{recipe.to_link()}#top"]
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


# What it prints


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


# What it refuses


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "There is nothing to draw: give a prompt, --prompts or --recipe; --help tells more."),
        (["x", "--sed", "1"], "unrecognized arguments: --sed 1; --help tells more."),
        (["x", "--seed"], "argument --seed: expected one argument; --help tells more."),
        (["a\0b"], "prompt must not hold a control character (U+0000, character 2)."),
        (["a\udcff"], "prompt must not hold half of a surrogate pair (U+DCFF, character 2)."),
        (["x" * 1_000_000], "prompt must be at most 1,000 characters, not 1,000,000."),
        (["x", "--seed", "-1"], "seed must be a whole number from 0 to 4294967295, not -1."),
        (["x", "--seed", "4294967296"], "seed must be a whole number from 0 to 4294967295, not 4294967296."),
        (["x", "--seed", "1.5"], "seed must be a whole number from 0 to 4294967295, not '1.5'."),
        (["x", "--seed", "x"], "seed must be a whole number from 0 to 4294967295, not 'x'."),
        (["x", "--seed", "null"], "seed must be a whole number from 0 to 4294967295, not 'null'."),
        (["x", "--steps", "0"], "base.num_steps must be a whole number from 1 to 250, not 0."),
        (["x", "--steps", "1000000"], "base.num_steps must be a whole number from 1 to 250, not 1000000."),
        (["x", "--guidance-scale", "nan"], "base.guidance_scale must be a number from 0 to 30, not 'nan'."),
        (["x", "--num-images", "65"], "num_images must be a whole number from 1 to 64, not 65."),
        (["x", "--last-stage", "sr512"], "last_stage must be one of base, sr256, sr1024, not 'sr512'."),
        (
            ["x", "--set", "sr256.scheduler=heun"],
            "sr256.scheduler must be one of ddpm, ddim, dpmsolver++, dpmsolver++sde, unipc, deis, euler, not 'heun'.",
        ),
        (["x", "--set", "sr256.aug_level=NaN"], "sr256.aug_level must be a number from 0 to 1, not 'NaN'."),
        (["x", "--set", "nothing"], "--set needs STAGE.NAME=VALUE, as in sr256.num_steps=12, not 'nothing'."),
        (
            ["x", "--set", "base.steps=3"],
            "base.steps is not among the known names num_steps, scheduler, spacing, guidance_scale, guidance_start, "
            "guidance_end, thresholding, percentile, aug_level, prompt, seed.",
        ),
        (["x", "--set", "base=3"], "base must be an object with names and values, not '3'."),
        (["x", "--model", "dall-e"], "--model must be one of bundled or a folder, not 'dall-e'."),
        (
            ["x", "--model", "x" * 9999],
            f"--model must be one of bundled or a folder, not '{'x' * 40}'… (9,999 characters).",
        ),
        (["x", "--output", ""], "--output must end in .png, for only a PNG carries its recipe, not ''."),
        (["x", "--output", "out.jpg"], "--output must end in .png, for only a PNG carries its recipe, not 'out.jpg'."),
        (["x", "--output", "none/out.png"], "Cannot write 'none/out.png': there is no folder 'none'."),
        (["x", "--output", "folder.png"], "Cannot write 'folder.png': it is a folder, not a file."),
        (["x", "--output", "a\0.png"], "Cannot write 'a\\x00.png': that is no name of a file."),
        (["x", "--prompts", "good.txt"], "Give either a prompt or --prompts, not both."),
        (["--prompts", "none.txt"], "Cannot read 'none.txt': No such file or directory."),
        (["--prompts", "folder.png"], "Cannot read 'folder.png': it is a folder, not a file."),
        (["--prompts", "empty.txt"], "'empty.txt' holds no prompt."),
        (["--prompts", "latin-1.txt"], "'latin-1.txt' is not UTF-8 text."),
        (
            ["--prompts", "bad.txt"],
            "Line 3 of 'bad.txt': prompt must not hold a control character (U+0007, character 2).",
        ),
        (["--prompts", "large.txt"], "'large.txt' is larger than 10,000,000 bytes."),
        (["--recipe", "none.png"], "Cannot read 'none.png': No such file or directory."),
        (["--recipe", "a\0b"], "Cannot read 'a\\x00b': that is no name of a file."),
        (["--recipe", "good.txt"], "'good.txt' is no PNG file, and only those carry a recipe."),
        (["--recipe", "plain.png"], "'plain.png' carries no recipe: another program made it, or saved it anew."),
        (["--recipe", "cut.png"], "'cut.png' is cut off: it ends before a PNG file does."),
        (["--recipe", "bad.json"], "recipe must be JSON, not '{'."),
        (["--recipe", "latin-1.json"], "'latin-1.json' is not UTF-8 text."),
        (["--recipe", "large.json"], "'large.json' is larger than 400,000 bytes."),
        (["--recipe", "seed=1&seed=2"], "link must not hold 'seed' twice."),
        (["--recipe", "?prompt=%zz"], "link has a % that is not followed by two hexadecimal digits, in 'prompt=%zz'."),
        (["--recipe", "https://example.org/?v=dQw4"], "v is not among the known names prompt, negative_prompt, seed, "
         "num_images, model, last_stage, base, sr256, sr1024."),
        (["--recipe", "prompt=" + "x" * 100_000], "link must be at most 100,000 characters, not 100,007."),
        (
            ["--recipe", "prompt=x&model=local"],
            "The recipe was drawn with weights from a folder: give --model and that folder.",
        ),
        (["--recipe", "model=dall-e"], "model must be one of bundled, not 'dall-e'."),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_a_sentence_and_nothing_is_loaded(
    arguments: list[str], sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder.png").mkdir()
    Path("good.txt").write_text("x\n")
    Path("empty.txt").write_text("\n \n")
    Path("latin-1.txt").write_bytes(b"gr\xfcn")
    Path("latin-1.json").write_bytes(b'{"prompt": "gr\xfcn"}')
    Path("bad.txt").write_text("x\n\na\a\n")
    Path("bad.json").write_text("{")
    for name, size in {"large.txt": 10_000_001, "large.json": 400_001}.items():
        with open(name, "wb") as file:
            file.truncate(size)
    Image.new("RGB", (8, 8)).save("plain.png")
    Path("cut.png").write_bytes(Path("plain.png").read_bytes()[:-20])
    before = sorted(os.listdir())
    assert main(arguments, load=never) == 2
    assert capsys.readouterr() == ("", f"imagen_core: {sentence}\n")
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("prompt", ["שלום עולם", "🍎👩‍🚀", "a\tb\nc", "-- ?&=+%", ""])
def test_odd_prompts_are_drawn_and_come_back(prompt: str, folder: Path, tiny_imagen: Imagen) -> None:
    assert drawn(tiny_imagen, *ONE_STAGE, "--", prompt) == 0
    assert read_recipe(Path("out.png")).prompt == prompt


# What can go wrong on the way


def test_missing_weights_are_told_in_a_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine").mkdir()
    assert main(["x", "--model", "mine", *ONE_STAGE]) == 1
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("imagen_core: ")
    assert "mine" in errors
    assert errors.count("\n") == 1
    assert os.listdir() == ["mine"]


def test_what_was_drawn_before_a_stage_failed_is_kept_under_another_name(
    folder: Path, tiny_imagen: Imagen, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out.png").write_bytes(b"before")
    for parameter in tiny_imagen.cascade.stages["sr1024"].unet.parameters():
        parameter.fill_(float("nan"))
    assert drawn(tiny_imagen, "x", *FEW_STEPS) == 1
    output, errors = capsys.readouterr()
    assert output == "out-sr256.png\n"
    assert errors.startswith("imagen_core: sr1024: ")
    assert errors.endswith("; what sr256 drew is in 'out-sr256.png'.\n")
    assert Path("out.png").read_bytes() == b"before"
    recipe = read_recipe(Path("out-sr256.png"))
    assert recipe.last_stage == "sr256"
    assert drawn(tiny_imagen, "--recipe", "out-sr256.png", "--output", "again.png", "--quiet") == 0
    assert pixels("again.png") == pixels("out-sr256.png")
    for parameter in tiny_imagen.cascade.stages["base"].unet.parameters():
        parameter.fill_(float("nan"))
    assert drawn(tiny_imagen, "y", *FEW_STEPS) == 1
    errors = capsys.readouterr().err
    assert errors.startswith("imagen_core: base: ")
    assert errors.count("\n") == 1


def test_a_full_disk_is_told_in_a_sentence_and_leaves_what_was_there(
    folder: Path, tiny_imagen: Imagen, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out.png").write_bytes(b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        code = drawn(tiny_imagen, "x", *ONE_STAGE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert code == 1
    assert capsys.readouterr() == ("", "imagen_core: Cannot write 'out.png': File too large.\n")
    assert Path("out.png").read_bytes() == b"before"
    assert os.listdir() == ["out.png"]


def test_ctrl_c_stops_and_leaves_nothing_half_written(
    folder: Path, tiny_imagen: Imagen, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background begins without it
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        code = drawn(tiny_imagen, "x", "--num-images", "40", "--steps", "250", "--last-stage", "base", "--quiet")
    finally:
        timer.join()
        signal.signal(signal.SIGINT, handler)
    assert code == 130
    assert capsys.readouterr() == ("", "imagen_core: stopped\n")
    assert os.listdir() == []
