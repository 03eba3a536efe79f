"""The front door: what users import, and what it refuses."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import imagen_core
from imagen_core import Imagen, Picture, Recipe, RecipeError, StageFinished
from imagen_core.checkpoints import CheckpointError
from imagen_core.images import to_pil
from imagen_core.metadata import Carried
from tests.drawn_in_a_folder import drawn

ROOT = Path(__file__).resolve().parent.parent
FEW_STEPS = {"base": {"num_steps": 2}, "sr256": {"num_steps": 1}}


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stderr == ""
    return done.stdout


def test_importing_brings_no_torch_and_prints_nothing() -> None:
    code = "import sys, imagen_core; imagen_core.Recipe(prompt='x'); heavy = {'torch', 'gradio', 'numpy', 'PIL'}"
    assert python(f"{code}; print(heavy & set(sys.modules))") == "set()\n"


def test_everything_named_is_there() -> None:
    assert all(hasattr(imagen_core, name) for name in imagen_core.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Imagine'"):
        imagen_core.Imagine  # noqa: B018


def test_generate_image_is_the_stream_s_last_picture(make_imagen: Callable[[], Imagen]) -> None:
    picture = make_imagen().generate_image("a cat", seed=3, guidance_scale=2.0, num_steps=2)
    assert picture.size == (1024, 1024)
    imagen = make_imagen()
    recipe = imagen.recipe("a cat", seed=3).updated({"base": {"guidance_scale": 2.0, "num_steps": 2}})
    finished = [event for event in imagen.stream(recipe) if isinstance(event, StageFinished)]
    assert to_pil(finished[-1].x_0)[0].tobytes() == picture.tobytes()


def test_guidance_scale_zero_is_not_the_default(tiny_imagen: Imagen) -> None:
    """A value of 0 is a choice, not a missing value."""
    with pytest.raises(RecipeError, match="num_steps"):
        tiny_imagen.generate_image("a cat", num_steps=0)


def test_generate_image_takes_a_negative_prompt_and_a_last_stage(make_imagen: Callable[[], Imagen]) -> None:
    picture = make_imagen().generate_image("a cat", num_steps=2, negative_prompt="blue", last_stage="base")
    imagen = make_imagen()
    values = {"negative_prompt": "blue", "last_stage": "base", "base": {"num_steps": 2}}
    assert picture == imagen.generate(imagen.recipe("a cat").updated(values))[0]
    assert picture.size == (64, 64)
    assert picture != imagen.generate_image("a cat", num_steps=2, last_stage="base")
    with pytest.raises(RecipeError, match=r"^last_stage must be one of base, sr256, sr1024, not 'sr512'\.$"):
        imagen.generate_image("a cat", last_stage="sr512")


def test_pictures_are_saved_with_the_recipe_and_check_that_the_command_line_reads(
    folder: Path, tiny_imagen: Imagen, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once pictures from Python were saved by Pillow, without a recipe, though the README told of one."""
    recipe = tiny_imagen.recipe("a cat", seed=3).updated({"num_images": 2, "last_stage": "sr256"} | FEW_STEPS)
    pictures = tiny_imagen.draw(recipe)
    assert [picture.image for picture in pictures] == tiny_imagen.generate(recipe)
    for index, picture in enumerate(pictures):
        picture.save(f"cat-{index}.png")
        assert imagen_core.read_recipe(f"cat-{index}.png") == picture.recipe == recipe.for_image(index)
    tiny_imagen.cascade.forget()
    assert drawn(tiny_imagen, "--recipe", "cat-1.png", "--output", "again.png", "--quiet") == 0
    assert Path("again.png").read_bytes() == Path("cat-1.png").read_bytes()
    assert capsys.readouterr().err == "imagen_core: compared with the first picture of this recipe: identical.\n"
    with pytest.raises(imagen_core.MetadataError, match="there is no folder"):
        pictures[0].save("none/cat.png")
    for name in ("cat.jpg", "cat", "folder.png/cat.webp"):
        with pytest.raises(imagen_core.MetadataError, match=r"must end in \.png, for only a PNG carries its recipe"):
            pictures[0].save(name)
    Picture(pictures[0].image, pictures[0].recipe).save(Path("plain.png"))
    assert Carried(Path("plain.png")).check() is None


def test_a_recipe_for_another_model_is_refused(tiny_imagen: Imagen) -> None:
    recipe = replace(tiny_imagen.recipe("a cat"), model="deepfloyd-if-m")
    with pytest.raises(RecipeError) as raised:
        tiny_imagen.stream(recipe)
    assert str(raised.value) == "model must be bundled, which is loaded, not deepfloyd-if-m."


def test_a_folder_may_be_a_path_and_a_device_that_is_not_here_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is neither a model folder nor one of"):
        Imagen.from_pretrained(tmp_path / "none")
    for device in ("gpu", "cuda:99"):
        with pytest.raises(CheckpointError, match=f"^There is no device '{device}' here: "):
            Imagen.from_pretrained("bundled", device)


def test_large_models_choose_their_number_format_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CheckpointError) as raised:
        Imagen.from_pretrained("deepfloyd-if-m", "cpu", dtype=torch.float32)
    assert str(raised.value) == "dtype must be left out: the number format of 'deepfloyd-if-m' follows from the device."
    assert capsys.readouterr().err == ""


def test_tokens_tell_what_a_run_tells(tiny_imagen: Imagen) -> None:
    prompt = ("a 猫 on " + "a table " * 60).strip()
    reading = tiny_imagen.tokens(prompt)
    event = next(tiny_imagen.stream(tiny_imagen.recipe(prompt)))
    assert isinstance(event, imagen_core.PromptEncoded)
    assert (event.num_tokens, event.unknown) == (reading.num_tokens, ("猫",))
    assert event.num_tokens > event.max_tokens
    assert event.cut


def test_the_readme_s_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ten lines of the README and what goes on from them, on the bundled weights, as they stand there."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    code = [block for block in blocks if "gradio_client" not in block]  # the other one: tests/test_ui_api.py
    assert len(code) >= 2
    assert len(code[0].strip().splitlines()) <= 12
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    names: dict[str, object] = {}
    for block in code:
        exec(compile(block, "README.md", "exec"), names)
    for saved in re.findall(r"\.save\(\"(.+?)\"\)", "".join(code)):
        assert (tmp_path / saved).stat().st_size > 1000
    assert imagen_core.read_recipe(tmp_path / "apple.png") == Recipe(prompt="a red apple on a wooden table", seed=7)
    assert imagen_core.read_recipe(tmp_path / "hearts.png") == names["fork"]
