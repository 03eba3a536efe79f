"""Maps of words: the weights that a network attends with, joined, streamed and packed, and nothing drawn otherwise."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from imagen_core.events import Preview, StageFinished, WordAttention
from imagen_core.imagen import Imagen
from imagen_core.models.attention import TextAttention
from imagen_core.models.attention_record import AttentionRecord
from imagen_core.recipe import Recipe
from imagen_core.ui import messages
from imagen_core.ui.messages import Messages, encoded_attention
from imagen_core.word_attention import word_joiner
from imagen_core.word_maps_benchmark import measure
from tests.conftest import tiny_text_encoder
from tests.random_unets import MIXED, inputs, predict, random_unet

FAST = {"base": {"num_steps": 4}, "sr256": {"num_steps": 2}, "sr1024": {"num_steps": 1}}


def fast(prompt: str = "a red strawberry, red", **values: object) -> Recipe:
    return Recipe(prompt=prompt, seed=7).updated(FAST | values)


def previews(imagen: Imagen, recipe: Recipe, attention: bool = True) -> list[Preview]:
    return [event for event in imagen.stream(recipe, attention=attention) if isinstance(event, Preview)]


def of(preview: Preview) -> WordAttention:
    assert preview.attention is not None
    return preview.attention


@torch.no_grad()
def test_the_record_holds_the_softmax_over_null_token_and_text() -> None:
    torch.manual_seed(0)
    attention = TextAttention(128, 32)
    x, text = torch.randn(3, 128, 4, 6), torch.randn(3, 5, 32)
    mask = torch.tensor([[True] * 5, [True, False, True, False, False], [True] * 5])
    record = AttentionRecord(2)
    attention(x, text, mask, None, record)
    pixels = attention.norm(x).flatten(2).transpose(1, 2)
    states = torch.cat([attention.null.expand(3, -1, -1), text], dim=1)
    query = attention.query(pixels).reshape(3, 24, 2, 64)
    key = attention.key_value(states)[:, :, :128].reshape(3, 6, 2, 64)
    logits = torch.einsum("nqhd,nkhd->nhqk", query, key) / 8
    logits = logits.masked_fill(~F.pad(mask, (1, 0), value=True)[:, None, None], -torch.inf)
    expected = logits.softmax(dim=3).mean(dim=1).transpose(1, 2).reshape(3, 6, 4, 6)
    maps = record.maps()
    assert maps is not None
    torch.testing.assert_close(maps, expected[:2], atol=1e-5, rtol=1e-4)
    assert maps[1, 2].max() == 0  # a token that does not count


def test_layers_are_averaged_at_the_finest_size() -> None:
    record, random = AttentionRecord(1), torch.Generator().manual_seed(0)
    weights = [torch.rand(2, 3, pixels, 4, generator=random).softmax(dim=3) for pixels in (64, 64, 16)]
    for each, size in zip(weights, [(8, 8), (8, 8), (4, 4)], strict=True):
        record.add(each, size)
    maps = record.maps()
    assert maps is not None

    def image(each: Tensor, size: int) -> Tensor:
        return each[:1].mean(dim=1).reshape(1, size, size, 4).permute(0, 3, 1, 2)

    coarse = F.interpolate(image(weights[2], 4), (8, 8), mode="bilinear")
    torch.testing.assert_close(maps, (image(weights[0], 8) + image(weights[1], 8) + coarse) / 3)
    torch.testing.assert_close(maps.sum(dim=1), torch.ones(1, 8, 8))
    assert AttentionRecord(1).maps() is None


@torch.no_grad()
def test_a_network_predicts_the_same_with_a_record() -> None:
    unet, given = random_unet(MIXED), inputs(MIXED)
    layers = [module for module in unet.modules() if isinstance(module, TextAttention)]
    record = AttentionRecord(2)
    plain = predict(unet, **given)
    assert torch.equal(predict(unet, None, record, **given), plain)
    maps = record.maps()
    assert maps is not None
    assert maps.shape == (2, 6, 4, 4)  # 16 pixels, patch 2, the finest level with text is the second
    assert len(layers) == 4 + 2  # two of them in the middle
    torch.testing.assert_close(maps.sum(dim=1), torch.ones(2, 4, 4))


def test_pictures_are_the_same_with_maps_and_without(tiny_imagen: Imagen) -> None:
    recipe = replace(fast(negative_prompt="a longer negative prompt than the prompt itself"), num_images=2)
    plain = [event.x_0 for event in tiny_imagen.stream(recipe) if isinstance(event, StageFinished)]
    events = list(tiny_imagen.stream(recipe, attention=True))
    told = [event for event in events if isinstance(event, Preview)]
    drawn = [event for event in events if isinstance(event, StageFinished)]
    assert len(told) == 7  # every stage runs although all were kept
    assert not any(event.cached for event in drawn)
    assert all(torch.equal(event.x_0, before) for event, before in zip(drawn, plain, strict=True))
    again = [event for event in tiny_imagen.stream(recipe) if isinstance(event, StageFinished)]
    assert all(event.cached for event in again)  # without maps nothing is drawn twice
    assert all(preview.attention is None for preview in previews(tiny_imagen, replace(recipe, seed=8), False))


def test_every_step_of_every_stage_has_a_map_for_every_word(tiny_imagen: Imagen) -> None:
    recipe = replace(fast(sr256={"num_steps": 2, "prompt": "other words"}), num_images=2)
    for preview in previews(tiny_imagen, recipe):
        words = ("other", "words") if preview.stage == "sr256" else ("a", "red", "strawberry", "red")
        attention = of(preview)
        assert attention.words == words
        assert attention.maps.shape[:2] == (2, len(words))
        assert attention.maps.min() >= 0
        assert len(attention.text_share) == 2
        everything = attention.maps.sum(dim=1).mean(dim=(1, 2))
        for share, sum_of_words in zip(attention.text_share, everything.tolist(), strict=True):
            assert 0 < sum_of_words < share < 1  # the end of the text and the comma are text, but no words


def test_a_weight_is_seen_in_the_map(tiny_imagen: Imagen) -> None:
    plain, strong, gone = (
        of(previews(tiny_imagen, fast(f"a {word} strawberry", base={"num_steps": 1}))[0]).maps.mean(dim=(0, 2, 3))
        for word in ("red", "(red:3)", "(red:0)")
    )
    assert strong[1] > 1.3 * plain[1]
    assert strong[2] < plain[2]
    assert gone[1] == 0


def test_words_behind_the_cut_have_no_map() -> None:
    joiner = word_joiner(tiny_text_encoder(), "word " * 100)
    assert joiner is not None
    assert len(joiner.words) == 63
    empty = word_joiner(tiny_text_encoder(), "")
    assert empty is not None
    assert empty(torch.ones(1, 2, 4, 4)).maps.shape == (1, 0, 4, 4)


def test_an_empty_prompt_streams_with_maps_too(tiny_imagen: Imagen) -> None:
    made = Messages()
    told = [message for event in tiny_imagen.stream(fast(""), attention=True) if (message := made.event(event))]
    assert all("attention" in message for message in told if message["kind"] == "step")
    for preview in previews(tiny_imagen, fast("")):
        assert of(preview).words == ()
        assert of(preview).text_share == pytest.approx((0.0,), abs=1e-6)  # all tokens are masked


def test_maps_are_packed_as_bytes_up_to_their_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = torch.rand(3, 2, 4, 6, generator=torch.Generator().manual_seed(0)) * torch.tensor([0.5, 0.01]).view(2, 1, 1)
    packed = encoded_attention(WordAttention(("red", "apple"), maps, (0.7, 0.6, 0.5)))
    assert packed["words"] == ["red", "apple"]
    assert packed["size"] == [4, 6]
    values = np.frombuffer(base64.b64decode(packed["maps"]), np.uint8).reshape(3, 2, 4, 6)
    back = values / 255 * np.array(packed["peaks"])[:, :, None, None]
    assert np.abs(back - maps.numpy()).max() <= 0.5 / 255 * 0.5 + 1e-7
    assert values.max(axis=(2, 3)).tolist() == [[255, 255]] * 3
    monkeypatch.setattr(messages, "_MAPS_BYTES", 100)
    fewer = encoded_attention(WordAttention(("red", "apple"), maps, (0.7, 0.6, 0.5)))
    assert len(fewer["peaks"]) == 2
    assert len(base64.b64decode(fewer["maps"])) == 2 * 48
    monkeypatch.setattr(messages, "_MAPS_BYTES", 10)
    assert len(encoded_attention(WordAttention(("red", "apple"), maps, (0.7, 0.6, 0.5)))["peaks"]) == 1


def test_maps_travel_with_previews_and_shares_with_every_step(
    tiny_imagen: Imagen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "INTERVAL", 3600.0)
    made = Messages()
    told = [message for event in tiny_imagen.stream(fast(), attention=True) if (message := made.event(event))]
    steps = [message for message in told if message["kind"] == "step"]
    assert all(len(step["attention"]["maps"]) <= 4 * 32 * 32 * 4 / 3 + 4 for step in steps)  # base64
    stats = [each["stats"] for step in steps for each in (*step["between"], step)]
    assert len(stats) == 7
    assert all(0 < each["text_share"][0] < 1 for each in stats)
    plain = [message for event in tiny_imagen.stream(fast("other")) if (message := Messages().event(event))]
    assert not any("attention" in message or "text_share" in message.get("stats", {}) for message in plain)


def test_the_networks_of_the_stage_decide_whether_there_are_maps(tiny_imagen: Imagen) -> None:
    """As with DeepFloyd's, whose attention nobody can look at: a preview without maps, not an error."""
    tiny_imagen.cascade.text_encoder.caption = lambda _: "a caption of its own"
    assert all(preview.attention is None for preview in previews(tiny_imagen, fast()))


def test_the_benchmark_measures_and_compares(tiny_imagen: Imagen) -> None:
    figures = measure(tiny_imagen, fast(), 2)
    assert figures["same_pixels"] is True
    assert figures["pairs"] == 2
    assert figures["seconds"] > 0


def test_the_readmes_example_runs(tiny_imagen: Imagen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
    block = next(code for code in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "attention=True" in code)
    assert len(block.strip().splitlines()) <= 10
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Imagen, "from_pretrained", lambda name: tiny_imagen)
    exec(compile(block, "README.md", "exec"), {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["apple-1.png", "apple-24.png"]
