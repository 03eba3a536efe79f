"""What the command line refuses, each in a sentence and before anything is loaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from imagen_core.__main__ import main
from imagen_core.imagen import Imagen
from imagen_core.metadata import read_recipe
from imagen_core.model_names import allowed_names
from imagen_core.presets import PRESETS
from tests.drawn_in_a_folder import ONE_STAGE, drawn, never


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
        (
            ["x", "--second-prompt", "y"],
            "second_prompt needs a share of it: give --second-share too, above 0 and up to 1.",
        ),
        (
            ["x", "--set", "variation_seed=0"],
            "variation_seed needs a share of it: give --variation too, above 0 and up to 1.",
        ),
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
        (["x", "--set", "num_steps=4"],
         "--set needs the stage of num_steps, too: write base.num_steps, sr256.num_steps or sr1024.num_steps."),
        (["x", "--set", "aug_level=1"],
         "--set needs the stage of aug_level, too: write sr256.aug_level or sr1024.aug_level."),
        (["x", "--set", "a.b.c=3"], "--set needs STAGE.NAME=VALUE, as in sr256.num_steps=12, not 'a.b.c=3'."),
        (["x", "--sweep", "seed"],
         "--sweep needs NAME=VALUES, as in base.guidance_scale=1,2,4 or seed=1..9, not 'seed'."),
        (["x", "--sweep", "percentile=90,99"],
         "--sweep needs the stage of percentile, too: write base.percentile, sr256.percentile or sr1024.percentile."),
        (["x", "--set", "base=3"], "base must be an object with names and values, not '3'."),
        (["x", "--model", "dall-e"], f"--model must be one of {allowed_names()} or a folder, not 'dall-e'."),
        (
            ["x", "--model", "x" * 9999],
            f"--model must be one of {allowed_names()} or a folder, not '{'x' * 40}'… (9,999 characters).",
        ),
        (["x", "--output", ""], "--output must end in .png, for only a PNG carries its recipe, not ''."),
        (["x", "--output", "out.jpg"], "--output must end in .png, for only a PNG carries its recipe, not 'out.jpg'."),
        (["x", "--output", ".png"], "--output needs a name before .png, not '.png'."),
        (["x", "--output", "none/.PNG"], "--output needs a name before .png, not 'none/.PNG'."),
        (["x", "--num-images", "3", "--output", "taken.png"],
         "Cannot write 'taken-2.png': it is a folder, not a file."),
        (["x", "--num-images", "3", "--output", "linked.png"],
         "Cannot write 'linked-3.png': it is a folder, not a file."),
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
        (["--prompts", "many.txt"], "'many.txt' holds 10,001 prompts where 10,000 are allowed: divide it."),
        (["--prompts", "large.txt"], "'large.txt' is larger than 10,000,000 bytes."),
        (["--recipe", "none.png"], "Cannot read 'none.png': No such file or directory."),
        (["--recipe", "a=b.png"], "Cannot read 'a=b.png': No such file or directory."),
        (["--recipe", "none/a=b&c"], "Cannot read 'none/a=b&c': No such file or directory."),
        (["--recipe", "a=b.JSON"], "Cannot read 'a=b.JSON': No such file or directory."),
        (["--recipe", "seed=x&prompt=b.png"], "seed must be a whole number from 0 to 4294967295, not 'x'."),
        (["--recipe", "?seed=x.png"], "seed must be a whole number from 0 to 4294967295, not 'x.png'."),
        (["--recipe", "a\0b"], "Cannot read 'a\\x00b': that is no name of a file."),
        (["--recipe", "good.txt"], "'good.txt' is no PNG file, and only those carry a recipe."),
        (["--recipe", "plain.png"], "'plain.png' carries no recipe: another program made it, or saved it anew."),
        (["--recipe", "cut.png"], "'cut.png' is cut off: it ends before a PNG file does."),
        (["--recipe", "bad.json"], "recipe must be JSON, not '{'."),
        (["--recipe", "latin-1.json"], "'latin-1.json' is not UTF-8 text."),
        (["--recipe", "large.json"], "'large.json' is larger than 480,000 bytes."),
        (["--recipe", "seed=1&seed=2"], "link must not hold 'seed' twice."),
        (["--recipe", "?prompt=%zz"], "link has a % that is not followed by two hexadecimal digits, in 'prompt=%zz'."),
        (["--recipe", "https://example.org/?v=dQw4"], "v is not among the known names prompt, negative_prompt, seed, "
         "num_images, model, last_stage, variation, variation_seed, second_share, second_prompt, base, sr256, sr1024."),
        (["--recipe", "prompt=" + "x" * 1_200_000], "link must be at most 1,200,000 characters, not 1,200,007."),
        (["--recipe", "https://example.org/out.png"],
         "link holds no recipe: of a picture, fetch the file and give its name."),
        (["--recipe", "http://[x/?seed=1"], "link is no address: Invalid IPv6 URL."),
        (["--recipe", "https://example.org/?fbclid=x"],
         "link holds no recipe: of a picture, fetch the file and give its name."),
        (
            ["--recipe", "prompt=x&model=local"],
            "The recipe was drawn with weights from a folder: give --model and that folder.",
        ),
        (["--recipe", "model=dall-e"], f"model must be one of {', '.join(PRESETS)}, not 'dall-e'."),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_a_sentence_and_nothing_is_loaded(
    arguments: list[str], sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder.png").mkdir()
    Path("taken-2.png").mkdir()
    Path("linked-3.png").symlink_to("folder.png")
    Path("good.txt").write_text("x\n")
    Path("many.txt").write_text("x\n" * 10_001)  # five million took minutes to be checked, and gigabytes
    Path("empty.txt").write_text("\n \n")
    Path("latin-1.txt").write_bytes(b"gr\xfcn")
    Path("latin-1.json").write_bytes(b'{"prompt": "gr\xfcn"}')
    Path("bad.txt").write_text("x\n\na\a\n")
    Path("bad.json").write_text("{")
    for name, size in {"large.txt": 10_000_001, "large.json": 480_001}.items():
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
