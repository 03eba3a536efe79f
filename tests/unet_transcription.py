"""The U-Net in NumPy, written from its description."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from imagen_core.models.unet import UNet

Array = NDArray[np.float64]


def np_silu(x: Array) -> Array:
    return x / (1 + np.exp(-x))


def np_norm(x: Array, axis: int) -> Array:
    deviation = np.sqrt(x.var(axis=axis, keepdims=True) + 1e-5)
    return (x - x.mean(axis=axis, keepdims=True)) / deviation


def np_softmax(x: Array) -> Array:
    weights = np.exp(x - x.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def np_sinusoid(position: Array, width: int, longest: float) -> Array:
    angles = position[:, None] / longest ** (np.arange(width // 2) / (width // 2))
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def np_fold(x: Array, p: int) -> Array:
    """Squares of p x p pixels become channels."""
    n, c, h, w = x.shape
    return x.reshape(n, c, h // p, p, w // p, p).transpose(0, 1, 3, 5, 2, 4).reshape(n, c * p * p, h // p, w // p)


def np_unfold(x: Array, p: int) -> Array:
    n, c, h, w = x.shape
    return x.reshape(n, c // p**2, p, p, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, c // p**2, h * p, w * p)


class Transcription:
    """`UNet.forward` over the tensors of a state_dict, float64."""

    def __init__(self, unet: UNet) -> None:
        self.config = unet.config
        self.weights = {name: value.double().numpy() for name, value in unet.state_dict().items()}

    def linear(self, name: str, x: Array) -> Array:
        return x @ self.weights[f"{name}.weight"].T + self.weights.get(f"{name}.bias", 0.0)

    def conv(self, name: str, x: Array) -> Array:
        kernel = self.weights[f"{name}.weight"]
        edge = kernel.shape[2] // 2
        padded = np.pad(x, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2:], axis=(2, 3))
        return np.einsum("nchwij,ocij->nohw", windows, kernel) + self.weights[f"{name}.bias"][:, None, None]

    def pixel_norm(self, name: str, x: Array) -> Array:
        weight, bias = (self.weights[f"{name}.{part}"][:, None, None] for part in ("weight", "bias"))
        return np_norm(x, axis=1) * weight + bias

    def block(self, name: str, x: Array, embedding: Array) -> Array:
        h = self.conv(f"{name}.conv_1", np_silu(self.pixel_norm(f"{name}.norm_1", x)))
        scale, shift = np.split(self.linear(f"{name}.modulation", embedding)[:, :, None, None], 2, axis=1)
        h = np_silu(self.pixel_norm(f"{name}.norm_2", h) * (1 + scale) + shift)
        skip = self.conv(f"{name}.skip", x) if f"{name}.skip.weight" in self.weights else x
        return skip + self.conv(f"{name}.conv_2", h)

    def attend(self, queries: Array, keys: Array, values: Array) -> Array:
        """Of one image, (q, c) to (k, c), in heads of 64 channels."""
        c, heads = queries.shape[1], []
        width = min(c, 64)
        for start in range(0, c, width):
            part = slice(start, start + width)
            heads.append(np_softmax(queries[:, part] @ keys[:, part].T / math.sqrt(width)) @ values[:, part])
        return np.concatenate(heads, axis=1)

    def self_attention(self, name: str, x: Array) -> Array:
        n, c, h, w = x.shape
        out = np.empty_like(x)
        for image in range(n):
            pixels = self.pixel_norm(f"{name}.norm", x)[image].reshape(c, h * w).T
            queries, keys, values = np.split(self.linear(f"{name}.query_key_value", pixels), 3, axis=1)
            out[image] = self.linear(f"{name}.out", self.attend(queries, keys, values)).T.reshape(c, h, w)
        return x + out

    def text_attention(self, name: str, x: Array, text: Array, mask: NDArray[np.bool_]) -> Array:
        n, c, h, w = x.shape
        out = np.empty_like(x)
        for image in range(n):  # only the tokens that count, no mask needed
            pixels = self.pixel_norm(f"{name}.norm", x)[image].reshape(c, h * w).T
            tokens = np.concatenate([self.weights[f"{name}.null"][0], text[image][mask[image]]])
            keys, values = np.split(self.linear(f"{name}.key_value", tokens), 2, axis=1)
            attended = self.attend(self.linear(f"{name}.query", pixels), keys, values)
            out[image] = self.linear(f"{name}.out", attended).T.reshape(c, h, w)
        return x + out

    def places(self, name: str, x: Array) -> Array:
        height, width = x.shape[2:]
        rows, columns = (np_sinusoid((np.arange(side) + 0.5) / side * 4 * np.pi, 16, 16.0) for side in (height, width))
        grid = np.array([[np.concatenate([row, column]) for column in columns] for row in rows])  # (h, w, 32)
        return x + self.linear(f"{name}.project", grid).transpose(2, 0, 1)

    def feed_forward(self, name: str, x: Array) -> Array:
        pixels = self.pixel_norm(f"{name}.norm", x).transpose(0, 2, 3, 1)
        added = self.linear(f"{name}.narrow", np_silu(self.linear(f"{name}.widen", pixels)))
        return x + added.transpose(0, 3, 1, 2)

    def layer_norm(self, name: str, x: Array) -> Array:
        return np_norm(x, axis=-1) * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def text_layer(self, name: str, text: Array, mask: NDArray[np.bool_]) -> Array:
        out = text.copy()
        for image in range(len(text)):  # only the tokens that count; the others are never looked at
            tokens = text[image][mask[image]]
            qkv = np.split(self.linear(f"{name}.query_key_value", self.layer_norm(f"{name}.norm", tokens)), 3, axis=1)
            tokens = tokens + self.linear(f"{name}.out", self.attend(*qkv))
            wider = np_silu(self.linear(f"{name}.widen", self.layer_norm(f"{name}.norm_2", tokens)))
            out[image][mask[image]] = tokens + self.linear(f"{name}.narrow", wider)
        return out

    def pooled(self, name: str, text: Array, mask: NDArray[np.bool_]) -> Array:
        rows = []
        for row, counts in zip(text, mask, strict=True):
            tokens = row[counts]  # (l, width)
            parts = tokens.reshape(len(tokens), 8, -1)
            weights = np_softmax(self.linear(f"{name}.score", tokens).T).T  # (l, 8)
            rows.append((parts * weights[:, :, None]).sum(axis=0).reshape(-1))
        return self.linear(f"{name}.out", np.stack(rows))

    def adapter(self, states: Array) -> Array:
        normal = np_norm(states, axis=2) * self.weights["text_adapter.norm.weight"]
        x = self.linear("text_adapter.project", normal + self.weights["text_adapter.norm.bias"])
        x = x + self.linear("text_adapter.place", np_sinusoid(np.arange(x.shape[1]), x.shape[2], 100.0))
        x = np_norm(x + self.linear("text_adapter.mix", np_silu(x)), axis=2)
        return x * self.weights["text_adapter.out_norm.weight"] + self.weights["text_adapter.out_norm.bias"]

    def __call__(self, **given: Tensor) -> Array:
        arrays = {name: value.double().numpy() for name, value in given.items()}
        mask = given["mask"].numpy()
        text = self.adapter(arrays["text"])
        for layer in range(self.config.text_layers):
            text = self.text_layer(f"text_layers.{layer}", text, mask)
        embedding = self.linear("time.2", np_silu(self.linear("time.0", np_sinusoid(arrays["t"], 256, 10_000.0))))
        embedding = embedding + self.pooled("pooled_text", text, mask)
        x = np_fold(arrays["x_t"], self.config.patch)
        if self.config.low_res:
            embedding = embedding + self.linear("aug_level", np_sinusoid(1000 * arrays["aug_level"], 64, 10_000.0))
            x = np.concatenate([x, np_fold(arrays["low_res"], self.config.patch)], axis=1)
        embedding = np_silu(embedding)

        def attention(name: str, h: Array, kind: str) -> Array:
            if kind == "none":
                return h
            if self.config.places:
                h = self.places(f"{name}.places", h)
            if kind == "image and text":
                h = self.self_attention(f"{name}.self_attention", h)
            return self.text_attention(f"{name}.text_attention", h, text, mask)

        def level(name: str, h: Array, index: int) -> Array:
            for block in range(self.config.blocks[index]):
                h = self.block(f"{name}.{index}.blocks.{block}", h, embedding)
            return attention(f"{name}.{index}", h, self.config.attention[index])

        h, levels, skips = self.conv("stem", x), len(self.config.widths), []
        for index in range(levels):
            if index:  # downsampling comes before the convolutions of a level
                h = self.conv(f"downsample.{index - 1}", np_fold(h, 2))
            h = level("down", h, index)
            skips.append(h)
        for block in range(self.config.middle):
            h = attention(f"middle.{block}", h, "image and text")
            h = self.feed_forward(f"middle.{block}.feed_forward", h)
        for index in reversed(range(levels)):  # and upsampling after them
            h = level("up", np.concatenate([h, skips[index] / math.sqrt(2)], axis=1), index)
            if index:
                h = np_unfold(self.conv(f"upsample.{index - 1}", h), 2)
        out = np_unfold(self.conv("head", np_silu(self.pixel_norm("norm", h))), self.config.patch)
        if self.config.low_res:
            out = out + np.cos(arrays["aug_level"] * np.pi / 2)[:, None, None, None] * arrays["low_res"]
        return out
