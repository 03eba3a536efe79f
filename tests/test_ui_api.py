"""The page over HTTP, as programs and strangers meet it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

from imagen_core.events import StageFinished
from imagen_core.images import to_pil
from imagen_core.metadata import read_recipe
from imagen_core.recipe import STAGES, Recipe
from tests.conftest import make_tiny_imagen
from tests.ui_page import GRADIO_WARNING, recorded, served

pytestmark = GRADIO_WARNING


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    imagen = make_tiny_imagen()
    with served(lambda: imagen) as url:
        yield url


@pytest.fixture(scope="module")
def client(address: str, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(address, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def test_generate_draws_the_picture_of_its_recipe(client: Client) -> None:
    path, values, event = client.predict("a red apple", 3.0, 4, 7, "", api_name="/generate")
    recipe = Recipe.from_dict(values)
    assert (recipe.prompt, recipe.seed, recipe.base.num_steps, recipe.base.guidance_scale) == ("a red apple", 7, 4, 3.0)
    assert read_recipe(Path(path)) == recipe
    *_, last = (event for event in make_tiny_imagen().stream(recipe) if isinstance(event, StageFinished))
    assert Image.open(path).tobytes() == to_pil(last.x_0)[0].tobytes()
    assert event["kind"] == "finished"


def test_whole_numbers_may_come_as_the_floats_that_are_published(client: Client) -> None:
    _, values, _ = client.predict("a red apple", 3, 4.0, 7.0, "", api_name="/generate")
    assert (Recipe.from_dict(values).base.num_steps, Recipe.from_dict(values).seed) == (4, 7)


def test_generate_streams_its_events(client: Client) -> None:
    job = client.submit("a red apple", 3.0, 4, 11, "", api_name="/generate")
    *events, (_, _, last) = list(job)
    assert all(event[:2] == (None, None) for event in events)
    kinds = [(event["kind"], event["stage"]) for *_, event in events]
    assert kinds[0] == ("stage", "base")
    told = [event for *_, event in events if event["kind"] == "step"]
    steps = [(event["stage"], each["step"]) for event in told for each in (*event["between"], event)]
    assert [stage for stage, step in steps if step == 1] == list(STAGES)
    assert [event["stage"] for event in told if "done" in event] == list(STAGES)
    previews = [event["x_0"] for *_, event in events if event["kind"] == "step"]
    assert all(preview[0].startswith("data:image/") for preview in previews)
    assert (last["kind"], last["size"]) == ("finished", 1024)


def test_the_readme_s_client_runs(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The README's Python for programs that ask the page, as it stands there but for the address."""
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", readme, re.S) if "gradio_client" in block)
    assert "http://127.0.0.1:7860" in code
    exec(compile(code.replace("http://127.0.0.1:7860", address), "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("step base 1 None") for line in lines)
    kind, *_, path = lines[-1].split()
    assert kind == "finished"
    assert read_recipe(Path(path)).prompt == "a red apple on a wooden table"


def test_caller_who_hangs_up_ends_the_run() -> None:
    imagen = recorded()
    with served(lambda: imagen) as address, httpx.Client(timeout=30) as http:
        url = f"{address}gradio_api/call/generate"
        event_id = http.post(url, json={"data": ["an apple", 2, 250, 0, ""]}).json()["event_id"]
        with http.stream("GET", f"{url}/{event_id}") as answer:
            next(answer.iter_lines())
        end = time.monotonic() + 10
        while not imagen.runs or not imagen.runs[0].closed:
            assert time.monotonic() < end, "the run went on"
            time.sleep(0.02)


def test_generate_has_the_defaults_of_the_page(client: Client) -> None:
    _, values, _ = client.predict("a red apple", api_name="/generate")
    assert Recipe.from_dict(values) == Recipe(prompt="a red apple")


def test_generate_is_the_only_public_function(client: Client) -> None:
    described = client.view_api(return_format="dict", print_info=False)
    assert list(described["named_endpoints"]) == ["/generate"]
    names = [p["parameter_name"] for p in described["named_endpoints"]["/generate"]["parameters"]]
    assert names == ["prompt", "guidance_scale", "num_steps", "seed", "negative_prompt"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("a" * 1001, 4, 4, 0, ""), "prompt must be at most 1,000 characters, not 1,001."),
        (("🍎" * 300_000, 4, 4, 0, ""), "prompt must be at most 1,000 characters, not 300,000."),
        (("a\0b", 4, 4, 0, ""), "prompt must not hold a control character (U+0000, character 2)."),
        (("a", 4, 0, 0, ""), "base.num_steps must be a whole number from 1 to 250, not 0."),
        (("a", 4, 4, 1.5, ""), "seed must be a whole number from 0 to 4294967295, not 1.5."),
        (("a", "x", 4, 0, ""), "base.guidance_scale must be a number from 0 to 30, not 'x'."),
        ((None, 4, 4, 0, ""), "prompt must be text, not null."),
    ],
)
def test_bad_input_is_told_in_one_sentence(client: Client, arguments: tuple[object, ...], sentence: str) -> None:
    with pytest.raises(AppError) as raised:
        client.predict(*arguments, api_name="/generate")
    assert sentence in str(raised.value)


def test_page_fetches_nothing_from_an_outside_host(address: str) -> None:
    """The page's own HTML asked two font hosts for connections in an earlier gradio."""
    page = httpx.get(address).text
    assert re.findall(r"""(?:src|href)=["'](?:https?:)?//(?!127\.0\.0\.1)[^"']*""", page) == []
    theme = httpx.get(f"{address}theme.css").text
    assert re.findall(r"""(?:@import|url\()\s*["']?(?:https?:)?//""", theme) == []


def test_page_hands_out_no_other_file(address: str) -> None:
    for path in (__file__, "/etc/hostname", "requirements.txt", "imagen_core/recipe.py"):
        assert httpx.get(f"{address}gradio_api/file={path}").status_code in (403, 404)
