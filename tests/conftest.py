"""A tiny real cascade, 64 to 256 to 1024, with random weights that are the same in every run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import T5Config, T5EncoderModel

from imagen_core.cascade import Cascade
from imagen_core.checkpoints import bundled_folder, load_vocabulary
from imagen_core.imagen import Imagen
from imagen_core.models.unet import UNet
from imagen_core.models.unet_config import UNetConfig
from imagen_core.noise_schedule import cosine_schedule
from imagen_core.recipe import SIZES, Recipe
from imagen_core.stage import Stage
from imagen_core.text_encoder import TextEncoder

# Networks this small are slower on several threads, much slower where something else runs too.
torch.set_num_threads(1)

TINY_T5 = {"d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2, "feed_forward_proj": "gated-gelu"}
TINY_UNETS = {
    "base": UNetConfig(
        4,
        (32, 32),
        (1, 1),
        ("none", "image and text"),
        middle=1,
        places=True,
        text_layers=1,
        t5_width=32,
        text_width=32,
        embedding=32,
    ),
    "sr256": UNetConfig(16, (32, 32), (1, 1), ("none", "text"), low_res=True, t5_width=32, text_width=32, embedding=32),
    "sr1024": UNetConfig(32, (32,), (1,), ("text",), low_res=True, t5_width=32, text_width=32, embedding=32),
}


def tiny_text_encoder() -> TextEncoder:
    """The real tokenizer and a T5 of one layer."""
    torch.manual_seed(0)
    model = T5EncoderModel(T5Config(vocab_size=32128, **TINY_T5))
    return TextEncoder(model, Tokenizer.from_file(str(bundled_folder() / "tokenizer.json")))


def tiny_unet(name: str) -> UNet:
    """A random U-Net whose zero-initialised layers are random too, so that text and time matter."""
    torch.manual_seed(len(name))
    unet = UNet(TINY_UNETS[name])
    for parameter in unet.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    return unet.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def make_tiny_imagen() -> Imagen:
    """A fresh one, with nothing cached."""
    text_encoder = tiny_text_encoder()
    stages = {
        name: Stage(name, size, tiny_unet(name), cosine_schedule(), "v" if name == "base" else "x_0", text_encoder)
        for name, size in SIZES.items()
    }
    return Imagen(Cascade(stages, torch.device("cpu")), Recipe(), load_vocabulary(bundled_folder()))


@pytest.fixture
def tiny_imagen() -> Imagen:
    return make_tiny_imagen()


@pytest.fixture
def make_imagen() -> Callable[[], Imagen]:
    return make_tiny_imagen


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
