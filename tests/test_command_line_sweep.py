"""--sweep: a sheet from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from imagen_core.__main__ import main
from imagen_core.contact_sheet import KEY, draw, read_sweep
from imagen_core.imagen import Imagen
from imagen_core.metadata import png_with
from imagen_core.recipe import Recipe
from imagen_core.sweep import Sweep
from imagen_core.sweep_axis import Axis
from tests.drawn_in_a_folder import FEW_STEPS, drawn, pixels


def test_sweep_is_a_sheet(
    make_imagen: Callable[[], Imagen], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sheet.png"
    asked = ["an apple", "--last-stage", "base", "--steps", "2", "--quiet", "--output", str(path)]
    asked += ["--sweep", "base.guidance_scale=1,3", "--sweep", "seed=1..2"]
    assert main(asked, lambda _: make_imagen()) == 0
    assert capsys.readouterr().out == f"{path}\n"
    sweep = read_sweep(path)
    assert [axis.name for axis in sweep.axes] == ["base.guidance_scale", "seed"]
    assert main([*asked, "--print-link"], lambda _: make_imagen()) == 0
    assert Sweep.from_link(capsys.readouterr().out.strip()) == sweep


def test_a_sheet_and_its_link_draw_the_sweep_again(
    make_imagen: Callable[[], Imagen], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also with a change; it was told that another program had made the sheet."""
    sheet, again = tmp_path / "sheet.png", tmp_path / "again.png"
    asked = ["an apple", "--last-stage", "base", "--steps", "2", "--seed", "7", "--quiet", "--output", str(sheet)]
    asked += ["--sweep", "base.guidance_scale=1,3", "--sweep", "prompt=a {red|blue} apple"]
    assert main(asked, lambda _: make_imagen()) == 0
    sweep = read_sweep(sheet)
    for source in (str(sheet), sweep.to_link(), f"http://127.0.0.1:7860/?{sweep.to_link()}"):
        repeated = ["--recipe", source, "--output", str(again), "--quiet"]
        assert main(repeated, lambda _: make_imagen()) == 0
        assert again.read_bytes() == sheet.read_bytes()
        again.unlink()
    assert main([*repeated, "--seed", "8"], lambda _: make_imagen()) == 0
    assert read_sweep(again) == Sweep(sweep.recipe.updated({"seed": 8}), sweep.axes)
    assert main([*repeated, "--sweep", "seed=1,2"], lambda _: make_imagen()) == 0
    assert read_sweep(again) == Sweep(sweep.recipe, (Axis.of("seed", "1,2"),))
    capsys.readouterr()
    assert main([*repeated, "--print-link"], lambda _: make_imagen()) == 0
    assert capsys.readouterr().out.strip() == sweep.to_link()


def test_cells_are_drawn_as_far_as_the_sheet_shows_them(folder: Path, tiny_imagen: Imagen) -> None:
    """Each was drawn at 1024 pixels and shrunk to 256; the sweep in the sheet is still one of whole pictures."""
    for parameter in tiny_imagen.cascade.stages["sr1024"].unet.parameters():
        parameter.fill_(float("nan"))  # so that drawing it fails
    asked = ["an apple", *FEW_STEPS]
    assert drawn(tiny_imagen, *asked, "--sweep", "base.guidance_scale=1,3", "--output", "sheet.png") == 0
    sweep = read_sweep(Path("sheet.png"))
    assert sweep.recipe.last_stage == "sr1024"
    cells = [sweep.up_to(256).cell(index) for index in range(2)]
    pictures = [tiny_imagen.generate(cell)[0] for cell in cells]
    assert {picture.size for picture in pictures} == {(256, 256)}
    assert pixels("sheet.png") == draw(sweep, pictures).tobytes()
    for larger in (["--last-stage", "sr1024"], ["--sweep", "sr1024.num_steps=1,2"]):
        last = larger if "--sweep" in larger else [*larger, "--sweep", "seed=1,2"]
        assert drawn(tiny_imagen, *asked, *last, "--output", "large.png") == 1


def test_a_sheet_whose_sweep_is_not_valid_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sheet.png").write_bytes(
        png_with(Image.new("RGB", (8, 8)), {KEY: "sweep.x=seed:1&colour=1"}, "bundled")
    )
    assert main(["--recipe", str(tmp_path / "sheet.png"), "--output", str(tmp_path / "a.png")]) == 2
    assert capsys.readouterr().err.startswith("imagen_core: The sheet carries a sweep that is not valid: colour is not")


def test_a_fork_and_several_images_are_not_swept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--sweep", "seed=1,2", "--output", str(tmp_path / "a.png")]
    fork = Recipe(prompt="a cat").forked("base", 3, {"prompt": "a dog"}).to_link()
    for arguments, what in ((["--recipe", fork], "a fork"), (["x", "--num-images", "2"], "several images")):
        assert main([*arguments, *out]) == 2
        expected = f"imagen_core: --sweep varies a recipe of one image that is no fork, and this one is of {what}.\n"
        assert capsys.readouterr().err == expected


@pytest.mark.parametrize("axis", ["seed", "colour=1", "seed=1,1", "seed=x", "=1"])
def test_sweep_that_is_refused(axis: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["an apple", "--sweep", axis, "--output", str(tmp_path / "a.png")]) == 2
    assert capsys.readouterr().err.startswith("imagen_core: ")
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("share", "end"), [("variation", ("--variation-seed", "3")), ("second_share", ("--second-prompt", "a green pear"))]
)
def test_the_way_to_another_seed_or_prompt_is_swept(
    share: str, end: tuple[str, str], make_imagen: Callable[[], Imagen], tmp_path: Path
) -> None:
    """From the recipe without it: such a recipe keeps nothing of the other end, so the sweep has to."""
    asked = ["an apple", *end, "--last-stage", "base", "--steps", "2", "--seed", "7", "--quiet"]
    sheet, again = tmp_path / "sheet.png", tmp_path / "again.png"
    assert main([*asked, "--sweep", f"{share}=0,0.5,1", "--output", str(sheet)], lambda _: make_imagen()) == 0
    sweep = read_sweep(sheet)
    plain = Recipe(prompt="an apple", seed=7, last_stage="base").updated({"base": {"num_steps": 2}})
    other = {"seed": 3} if share == "variation" else {"prompt": "a green pear"}
    first, _, last = (sweep.cell(index) for index in range(3))
    assert first == plain
    assert last.stage_key("base") == plain.updated(other).stage_key("base")
    assert main(["--recipe", str(sheet), "--quiet", "--output", str(again)], lambda _: make_imagen()) == 0
    assert again.read_bytes() == sheet.read_bytes()


def test_what_the_text_encoder_does_not_know_is_told_once(
    make_imagen: Callable[[], Imagen], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["一只猫", "--last-stage", "base", "--steps", "1", "--output", str(tmp_path / "sheet.png")]
    assert main([*asked, "--sweep", "seed=1..3"], lambda _: make_imagen()) == 0
    assert capsys.readouterr().err.count("note: the text encoder does not know") == 1
