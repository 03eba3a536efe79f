"""`generate` as a tool of the Model Context Protocol, as a client of that protocol meets it."""

from __future__ import annotations

import asyncio
import base64
import io
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import httpx
import pytest
from PIL import Image

from imagen_core.metadata import read_recipe
from imagen_core.recipe import Recipe
from tests.conftest import make_tiny_imagen
from tests.ui_page import GRADIO_WARNING, served

mcp = pytest.importorskip("mcp", reason='mcp is optional: pip install "gradio[mcp]==6.31.0"')
pytestmark = [GRADIO_WARNING, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

T = TypeVar("T")
ASKED = {"prompt": "a red apple", "guidance_scale": 3, "num_steps": 3, "seed": 7}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    imagen = make_tiny_imagen()
    with served(lambda: imagen, mcp=True) as url:
        yield url


def talk(address: str, say: Callable[[Any], Awaitable[T]]) -> T:
    from mcp.client.streamable_http import streamable_http_client

    async def session() -> T:
        async with (
            streamable_http_client(f"{address}gradio_api/mcp/") as (reads, writes, _),
            mcp.ClientSession(reads, writes) as client,
        ):
            await client.initialize()
            return await say(client)

    return asyncio.run(session())


def test_generate_is_the_only_tool_and_is_described(address: str) -> None:
    (tool,) = talk(address, lambda client: client.list_tools()).tools  # type: ignore[attr-defined]
    assert tool.name == "generate"
    assert tool.description.startswith("Draw one picture")
    values = tool.inputSchema["properties"]
    assert list(values) == ["prompt", "guidance_scale", "num_steps", "seed", "negative_prompt"]
    assert all(value["description"] for value in values.values())
    assert tool.inputSchema["required"] == ["prompt"]


def test_a_client_that_follows_the_run_gets_the_picture_its_file_and_its_recipe(address: str) -> None:
    async def progress(*_: object) -> None:
        return

    answer: Any = talk(address, lambda client: client.call_tool("generate", ASKED, progress_callback=progress))
    assert not answer.isError
    picture, file, recipe, event = answer.content
    base = {"guidance_scale": 3.0, "num_steps": 3}
    asked = Recipe(prompt="a red apple", seed=7).updated({"base": base})
    drawn = make_tiny_imagen().generate(asked)[0]
    assert Image.open(io.BytesIO(base64.b64decode(picture.data))).tobytes() == drawn.tobytes()
    assert read_recipe(httpx.get(file.text.removeprefix("Image URL: ")).content) == asked
    assert "'prompt': 'a red apple'" in recipe.text
    assert "'kind': 'finished'" in event.text


def test_a_client_that_does_not_gets_the_file_s_address(address: str) -> None:
    answer: Any = talk(address, lambda client: client.call_tool("generate", ASKED))
    (found,) = re.findall(r"http://[^']+\.png", answer.content[0].text)
    assert read_recipe(httpx.get(found).content).seed == 7


def test_bad_input_is_told_in_one_sentence(address: str) -> None:
    answer: Any = talk(address, lambda client: client.call_tool("generate", {"prompt": "a", "num_steps": -1}))
    assert answer.isError
    assert answer.content[0].text == "base.num_steps must be a whole number from 1 to 250, not -1."
