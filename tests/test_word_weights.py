"""What the weight of a word does: to the attention of both kinds of U-Nets, and to the picture."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from imagen_core.events import PromptEncoded, StageError, StageFinished
from imagen_core.imagen import Imagen
from imagen_core.models.attention import TextAttention
from imagen_core.models.conditioning import UNetConditioning
from imagen_core.models.deepfloyd import DeepFloydUNet
from imagen_core.models.text import TextLayer, TextPooling
from imagen_core.models.unet_config import UNetConfig
from imagen_core.recipe import Recipe
from tests.deepfloyd_folder import T5_WIDTH, tiny_unet
from tests.random_unets import LOCAL, MIXED, inputs, predict, random_unet
from tests.text_encoders import runs_of

FAST = {"base": {"num_steps": 3}, "sr256": {"num_steps": 2}, "sr1024": {"num_steps": 1}}


@torch.no_grad()
def test_a_weight_multiplies_a_tokens_attention() -> None:
    """Weight 2 is as if the token were there twice, in attention and in the pooled text."""
    torch.manual_seed(0)
    attention, pooling = TextAttention(128, 32), TextPooling(32, 16)
    nn.init.normal_(attention.out.weight, std=0.2)
    nn.init.normal_(pooling.score.weight)
    x, text, mask = torch.randn(2, 128, 4, 6), torch.randn(2, 5, 32), torch.ones(2, 5, dtype=torch.bool)
    log_weights = torch.tensor([[0.0, 2.0, 0.0, 3.0, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0]]).log()
    weighted, pooled = (
        attention(x, text, mask, log_weights),
        pooling(text, mask & (log_weights > -math.inf), log_weights),
    )
    repeated = text[:1, [1, 1, 3, 3, 3, 4]]
    every = torch.ones(1, 6, dtype=torch.bool)
    torch.testing.assert_close(weighted[:1], attention(x[:1], repeated, every), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(pooled[:1], pooling(repeated, every), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(weighted[1:], attention(x[1:], text[1:], mask[1:]))
    layer = TextLayer(32)  # between tokens
    nn.init.normal_(layer.out.weight, std=0.2)
    bound, of_repeated = layer(text, mask, log_weights), layer(repeated, every)
    torch.testing.assert_close(bound[0, [1, 3, 4]], of_repeated[0, [0, 2, 5]], atol=1e-5, rtol=1e-5)
    assert (bound - layer(text, mask)).abs()[0].mean() > 1e-3


@pytest.mark.parametrize("config", [MIXED, LOCAL], ids=["base", "local"])
@torch.no_grad()
def test_weights_of_zero_mask_their_tokens(config: UNetConfig) -> None:
    unet, given = random_unet(config), inputs(config)
    plain = predict(unet, **given)
    assert torch.equal(predict(unet, **given, log_weights=torch.zeros(2, 5)), plain)
    two = torch.tensor([[0.0, -math.inf, 0.0, -math.inf, 0.0]]).expand(2, -1)
    assert torch.equal(
        predict(unet, **given, log_weights=two), predict(unet, **given | {"mask": given["mask"] & (two == 0)})
    )
    unconditional = predict(unet, **given | {"mask": torch.zeros_like(given["mask"])})
    assert torch.equal(predict(unet, **given, log_weights=torch.full((2, 5), -math.inf)), unconditional)
    stronger = predict(unet, **given, log_weights=torch.tensor([[0.0, 1.0, 0.0, 0.0, 0.0], [0.0] * 5]))
    assert (stronger[0] - plain[0]).abs().mean() > 1e-4
    torch.testing.assert_close(stronger[1], plain[1])


# DeepFloyd's networks, against diffusers


@pytest.mark.parametrize("enlarges", [False, True], ids=["base", "sr256"])
@torch.no_grad()
def test_weight_3_is_the_token_three_times_in_diffusers_attention(enlarges: bool) -> None:
    plain, ours = tiny_unet(16, enlarges).double(), DeepFloydUNet(tiny_unet(16, enlarges).double())
    torch.manual_seed(3)
    x_t, text = torch.randn(2, 3, 16, 16).double(), torch.randn(2, 6, T5_WIDTH).double()
    low_res, aug_level = (torch.randn(2, 3, 16, 16).double(), torch.tensor([0.25, 0.5])) if enlarges else (None, None)
    weights = torch.tensor([[1.0, 3.0, 0.0, 2.0, 1.0, 1.0]]).double().expand(2, -1)
    t = torch.full((2,), 400.0)
    for name, layer in plain.named_modules():
        if name.endswith(("add_k_proj", "add_v_proj")):  # the keys and values of the text
            layer.register_forward_hook(lambda _, __, tokens: tokens[:, [0, 1, 1, 1, 3, 3, 4, 5]])
    expected = plain(
        x_t if low_res is None else torch.cat([x_t, low_res], dim=1),
        t,
        encoder_hidden_states=text,
        class_labels=None if aug_level is None else (aug_level * 1000).round(),
    ).sample
    given = UNetConditioning(text, weights > 0, low_res, aug_level, weights.log())
    unweighted = ours(x_t, t, replace(given, log_weights=None))
    assert (unweighted - expected).abs().amax(dim=(1, 2, 3)).min() > 1e-5
    torch.testing.assert_close(ours(x_t, t, given), expected, atol=1e-9, rtol=1e-9)
    assert torch.equal(ours(x_t, t, replace(given, log_weights=None)), unweighted)
    none_left = replace(given, log_weights=torch.full((2, 6), -math.inf))
    assert ours(x_t, t, none_left).isfinite().all()


# The picture


def fast(prompt: str, **values: object) -> Recipe:
    return Recipe(prompt=prompt, seed=7, last_stage="sr256").updated(FAST | values)


def drawn(imagen: Imagen, recipe: Recipe) -> dict[str, Tensor]:
    return {event.stage: event.x_0 for event in imagen.stream(recipe) if isinstance(event, StageFinished)}


def test_weight_1_is_the_same_pixels_and_t5_reads_the_words_once(tiny_imagen: Imagen) -> None:
    plain = drawn(tiny_imagen, fast("a red apple, ripe"))
    runs = runs_of(tiny_imagen.cascade.text_encoder)
    tiny_imagen.cascade.forget()
    same = drawn(tiny_imagen, fast("a (red:1) (apple:1.0), ripe"))
    other = drawn(tiny_imagen, fast("a (red:1.4) apple, (ripe:0)"))
    assert not runs
    assert torch.equal(plain["sr256"], same["sr256"])
    for stage in ("base", "sr256"):
        assert (plain[stage] - other[stage]).abs().mean() > 1e-4


def test_a_prompt_is_told_as_t5_reads_it(tiny_imagen: Imagen) -> None:
    encoded = [event for event in tiny_imagen.stream(fast("a (red:2) \\(apple")) if isinstance(event, PromptEncoded)]
    assert [event.prompt for event in encoded] == ["a red (apple"]
    assert tiny_imagen.tokens("a (red:2) apple") == tiny_imagen.tokens("a red apple")


def test_all_words_may_have_weight_0(tiny_imagen: Imagen) -> None:
    for picture in drawn(tiny_imagen, fast("(a red apple:0)", negative_prompt="(blue:0)")).values():
        assert picture.isfinite().all()


def test_a_stages_own_prompt_and_the_negative_prompt_have_weights(tiny_imagen: Imagen) -> None:
    plain = drawn(tiny_imagen, fast("a red apple", negative_prompt="green"))
    own = drawn(tiny_imagen, fast("a red apple", negative_prompt="green", sr256={"prompt": "a (red:2) apple"}))
    negative = drawn(tiny_imagen, fast("a red apple", negative_prompt="(green:3)"))
    assert torch.equal(own["base"], plain["base"])
    assert (own["sr256"] - plain["sr256"]).abs().mean() > 1e-5
    assert (negative["base"] - plain["base"]).abs().mean() > 1e-5


def test_a_weighted_image_is_the_same_alone_and_among_others(tiny_imagen: Imagen) -> None:
    recipe = replace(fast("a (red:1.7) apple", negative_prompt="blue"), num_images=3)
    together = drawn(tiny_imagen, recipe)["sr256"]
    assert torch.equal(drawn(tiny_imagen, recipe.for_image(2))["sr256"][0], together[2])


def test_a_caption_of_other_words_ends_the_run_with_a_sentence(tiny_imagen: Imagen) -> None:
    tiny_imagen.cascade.text_encoder.caption = lambda _: "something else"
    assert drawn(tiny_imagen, fast("a red apple"))
    with pytest.raises(StageError, match="base: the caption made of the prompt has other words, so no word can"):
        drawn(tiny_imagen, fast("a (red:2) apple"))
