"""How a large model is loaded: the same flags on the command line and for the page, the same rules from Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from imagen_core.__main__ import main
from imagen_core.captions import missing_for_cleaning
from imagen_core.command_line import parse
from imagen_core.deepfloyd import Options
from imagen_core.imagen import Imagen
from imagen_core.shards import CheckpointError
from imagen_core.ui.flags import read_flags
from imagen_core.ui.model import offered
from tests.deepfloyd_folder import base_pipeline, write_folder
from tests.drawn_in_a_folder import never, pixels
from tests.hub_server import COMMIT

QUICK = ("--steps", "1", "--set", "base.spacing=trailing", "--quiet")
M = ("--model", "deepfloyd-if-m")
BUNDLED = "is for models in DeepFloyd IF's layout alone, and 'bundled' is none."
REFUSED = [
    (["--eight-bit"], f"--eight-bit {BUNDLED}"),
    (["--clean-caption"], f"--clean-caption {BUNDLED}"),
    (["--revision", f"a/b={COMMIT}"], f"--revision {BUNDLED}"),
    (["--model", ".", "--eight-bit"], "--eight-bit is for models in DeepFloyd IF's layout alone, and '.' is none."),
    (["--model", "IF", "--revision", "a/b=c"], "--revision must be left out: 'IF' is a folder, not fetched."),
    ([*M, "--revision", "a/b=c"], "--revision must be of DeepFloyd/IF-I-M-v1.0 or DeepFloyd/IF-II-M-v1.0, "
     "which deepfloyd-if-m is fetched from, not of 'a/b'."),
    ([*M, "--revision", "a/b=c", "--revision", "a/b=d"], "--revision must not name 'a/b' twice."),
    *(([*M, "--revision", text], f"argument --revision: must be REPOSITORY=COMMIT, not {text!r}")
      for text in ("main", "a/b=", "=c", "")),
]  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A first stage in DeepFloyd IF's layout."""
    return write_folder(tmp_path_factory.mktemp("model") / "base", base_pipeline())


@pytest.fixture
def folder(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a command runs in, with the model in "IF"."""
    (tmp_path / "IF").symlink_to(base)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("flags", "sentence"), REFUSED)
def test_what_a_model_has_no_use_for_is_refused_in_a_sentence_at_both_doors(
    flags: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the flag that was typed: it was told of "revisions", which is the name in Python."""
    assert main(["x", *flags], load=never) == 2
    told = capsys.readouterr().err.removesuffix("\n")
    assert told == f"imagen_core: {sentence}{'; --help tells more.' if 'argument' in sentence else ''}"
    with pytest.raises(SystemExit) as ended:
        read_flags(flags)
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(f": error: {sentence}\n")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("bundled", Options(eight_bit=True)),
        (".", Options(clean_caption=True)),
        ("IF", Options({"a/b": COMMIT})),
        ("deepfloyd-if-m", Options({"DeepFloyd/IF-I-L-v1.0": COMMIT})),
    ],
)
def test_what_a_model_has_no_use_for_is_refused_from_python_too(name: str, options: Options) -> None:
    with pytest.raises(CheckpointError, match=r"^(eight_bit|clean_caption|revisions) (is for|must be) .*\.$"):
        Imagen.from_pretrained(name, "cpu", options)


@pytest.mark.usefixtures("folder")
def test_flags_say_the_same_at_both_doors() -> None:
    first, second = "DeepFloyd/IF-I-M-v1.0", "DeepFloyd/IF-II-M-v1.0"
    flags = [*M, "--revision", f"{first}={COMMIT}", "--revision", f"{second}=a=b", "--eight-bit", "--clean-caption"]
    expected = Options({first: COMMIT, second: "a=b"}, eight_bit=True, clean_caption=True)
    assert parse(["x", *flags]).options == read_flags(flags).options == expected
    assert parse(["x"]).options == parse(["x", *M]).options == read_flags([]).options == Options()
    assert parse(["--recipe", "prompt=x&model=deepfloyd-if-m", "--eight-bit"]).options == Options(eight_bit=True)


@pytest.mark.usefixtures("folder")
@pytest.mark.skipif(bool(missing_for_cleaning()), reason="needs beautifulsoup4 and ftfy")
def test_a_cleaned_prompt_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    """On the command line and with the page's model alike."""
    for prompt, flags in {"<b>red</b>": ["--clean-caption"], "red": [], "<b>red</b> ": []}.items():
        assert main([prompt, "--model", "IF", *QUICK, "--output", f"{len(prompt)}.png", *flags]) == 0
    assert pixels("10.png") == pixels("3.png") != pixels("11.png")
    page = read_flags(["--model", "IF", "--clean-caption"])
    imagen = offered(page.model, page.options).first.get()
    recipe = parse(["<b>red</b>", "--model", "IF", *QUICK]).recipes[0]
    assert imagen.generate(recipe)[0].tobytes() == pixels("3.png")


@pytest.mark.usefixtures("folder")
def test_eight_bits_are_asked_for_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    """The page's other models are loaded as ever."""
    page = read_flags(["--model", "IF", "--eight-bit"])
    models = offered(page.model, page.options)
    assert "T5 0.0 GB in 8 bits" in models.first.memory()
    assert "8 bits" not in offered(page.model).first.memory()
    assert "8 bits" not in models.offered["deepfloyd-if-m"].memory()
    if find_spec("bitsandbytes") is None:
        with pytest.raises(CheckpointError, match="T5 in 8 bits needs a package"):
            models.first.get()
        assert main(["x", "--model", "IF", "--eight-bit", *QUICK]) == 1
        assert "imagen_core: T5 in 8 bits needs a package" in capsys.readouterr().err
        return
    assert main(["x", "--model", "IF", "--eight-bit", *QUICK]) == 0
    assert "T5 0.0 GB in 8 bits" in capsys.readouterr().err
    assert models.first.get().generate(parse(["x", "--model", "IF", *QUICK]).recipes[0])[0].tobytes() == pixels(
        "out.png"
    )


def test_the_commit_that_is_asked_for_is_drawn_with(
    folder: Path, base: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = folder / "cache"
    shutil.copytree(base, cache / "models--someone--birds" / "snapshots" / COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    asked = ["x", "--model", "someone/birds", *QUICK]
    assert main([*asked, "--revision", f"someone/birds={COMMIT}"]) == 0
    assert capsys.readouterr().out == "out.png\n"
    assert main([*asked, "--revision", f"someone/birds={'f' * 40}"]) == 1
    assert "someone/birds is not in the cache and the Hub does not answer" in capsys.readouterr().err


def test_a_mistake_is_told_without_importing_torch() -> None:
    code = (
        "import sys; from imagen_core.__main__ import main; code = main(['x', '--eight-bit']); "
        "from imagen_core.ui.flags import read_flags; read_flags(['--model', 'deepfloyd-if-m', '--eight-bit']); "
        "sys.exit(code if not {'torch', 'gradio'} & set(sys.modules) else 99)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (2, "", f"imagen_core: --eight-bit {BUNDLED}\n")
