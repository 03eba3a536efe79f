"""The U-Nets of DeepFloyd IF, diffusers' `UNet2DConditionModel`, behind the call of ours.

They predict epsilon and, in three more channels, the variance of the step (arXiv 2102.09672, section 3.1). They take
the states of all 77 tokens, padding included, and no mask; a super-resolution stage takes the enlarged picture as
three more input channels and the level of its noise as a class label.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from imagen_core.models.attention_record import AttentionRecord
from imagen_core.models.between_blocks import BetweenBlocks
from imagen_core.models.conditioning import UNetConditioning

MAX_TOKENS = 77  # of a prompt, the end-of-text token counted
NUM_LEVELS = 1000  # of noise on the picture that is enlarged, as timesteps of the noising process


def noise_level(aug_level: Tensor) -> Tensor:
    """The timestep of the noising process, 0 to 999, for aug_level in [0, 1]; IF's default 250 is aug_level 0.25."""
    return (aug_level * NUM_LEVELS).round().clamp(max=NUM_LEVELS - 1)


def load_unet(folder: Path, variant: str | None, dtype: torch.dtype) -> nn.Module:
    """The `UNet2DConditionModel` of a folder with configuration and safetensors, on the processor, ready to run.

    Raises:
        ValueError: weights are missing in the files.
    """
    from diffusers import UNet2DConditionModel

    return load_whole(UNet2DConditionModel, folder, variant=variant, torch_dtype=dtype)


def load_whole(kind: Any, folder: Path, **options: Any) -> nn.Module:
    """A network of diffusers or transformers, of class `kind`, from the safetensors files of a folder, ready to run.

    Raises:
        ValueError: weights are missing in the files; the libraries draw those at random.
    """
    network: nn.Module
    network, told = kind.from_pretrained(
        folder, use_safetensors=True, local_files_only=True, output_loading_info=True, **options
    )
    missing = sorted(str(name) for kind in ("missing_keys", "mismatched_keys") for name in told[kind])
    if missing:
        raise ValueError(f"weights are missing, {missing[0]} among them.")
    return network.eval().requires_grad_(False)


def memory_format(device: torch.device) -> torch.memory_format:
    """How pictures and convolutions lie in memory: channels last on CUDA; on a processor that is slower here."""
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


class _OfText(nn.Module):
    """A layer that depends on the text alone: computed once for a text, whatever the step and the picture."""

    def __init__(self, layer: nn.Module, memory: threading.local) -> None:
        super().__init__()
        self.layer = layer
        self._memory = memory

    def forward(self, states: Tensor) -> Tensor:
        """The layer's output for the text in memory."""
        kept: dict[nn.Module, Tensor] = self._memory.outputs
        if self not in kept:
            kept[self] = self.layer(states)
        return kept[self]


class _Bias:
    """In place of a layer's `prepare_attention_mask`: what is added to the logits of its keys.

    The keys are the text's and behind them, unless the layer attends to the text alone, the picture's, which get 0.
    """

    def __init__(self, layer: Any, memory: threading.local) -> None:
        self._prepare = layer.prepare_attention_mask
        self._text_alone = bool(layer.only_cross_attention)
        self._memory = memory

    def __call__(self, mask: Tensor | None, pixels: int, images: int, out_dim: int = 3) -> Tensor | None:
        """(n, 1, 1, keys) where tokens have weights, else what diffusers makes of `mask`."""
        log_weights: Tensor | None = getattr(self._memory, "log_weights", None)
        if log_weights is None:
            prepared: Tensor | None = self._prepare(mask, pixels, images, out_dim)
            return prepared
        bias = functional.pad(log_weights, (0, 0 if self._text_alone else pixels))
        return bias[:, None, None, :]


class DeepFloydUNet(nn.Module):
    """One stage's U-Net. Several threads may call it at the same time."""

    def __init__(self, unet: Any) -> None:
        """Take a `UNet2DConditionModel` with 3 input channels (the first stage) or 6 (a super-resolution stage).

        Raises:
            ValueError: it is no U-Net of DeepFloyd IF.
        """
        super().__init__()
        config = unet.config
        if config.in_channels not in (3, 6) or config.out_channels != 6:
            channels = f"{config.in_channels} input and {config.out_channels} output channels"
            raise ValueError(f"a U-Net of DeepFloyd IF has 3 or 6 input and 6 output channels, this one {channels}.")
        if (config.class_embed_type is None) == (config.in_channels == 6):
            raise ValueError("a U-Net of DeepFloyd IF has a class embedding if, and only if, it enlarges a picture.")
        if config.addition_embed_type != "text" or config.encoder_hid_dim_type != "text_proj":
            raise ValueError("a U-Net of DeepFloyd IF projects the text and adds it to the time, this one does not.")
        self.unet = unet
        self.enlarges = config.in_channels == 6
        self.size = int(config.sample_size)
        self._local = threading.local()
        self._remember_text()
        self._blocks = BetweenBlocks(unet)

    def forward(
        self,
        x_t: Tensor,
        t: Tensor,
        given: UNetConditioning,
        between_blocks: Callable[[], None] | None = None,
        record: AttentionRecord | None = None,
    ) -> Tensor:
        """Predict from x_t (n, 3, h, w) at timesteps t (n,) in [0, 999]: epsilon and variance, (n, 6, h, w).

        The mask is not used; log_weights are added in every attention layer, but not where the text is pooled for the
        time embedding. between_blocks: called before each block of
        layers. record: not filled; diffusers' fused attention never has the weights in its hands.

        Raises:
            ValueError: a super-resolution stage is given no low_res or aug_level, or another stage is given one.
        """
        x, level = x_t, None
        if (low := given.low_res_and_level(self.enlarges)) is not None:
            low_res, aug_level = low
            x = torch.cat([x_t, low_res], dim=1)  # (n, 6, h, w)
            level = noise_level(aug_level)  # (n,)
        dtype = self.unet.dtype
        self._local.log_weights = given.finite_log_weights(dtype)
        text = given.text.to(dtype)
        known = getattr(self._local, "text", None)
        if known is None or known.device != text.device or not torch.equal(known, text):
            self._local.text, self._local.outputs = text, {}
        try:
            with self._blocks.calling(between_blocks):
                output: Tensor = self.unet(
                    x.to(dtype, memory_format=memory_format(x.device)),
                    t,
                    encoder_hidden_states=text,
                    class_labels=level,
                    return_dict=False,
                )[0]  # (n, 6, h, w)
        finally:
            self._local.log_weights = None
        return output

    def _remember_text(self) -> None:
        """Compute what depends on the text alone, keys and values of every attention among it, once a text.

        The attention layers are told the tokens' weights on the same way.
        """
        self.unet.encoder_hid_proj = _OfText(self.unet.encoder_hid_proj, self._local)
        self.unet.add_embedding = _OfText(self.unet.add_embedding, self._local)
        for layer in [
            layer for layer in self.unet.modules() if isinstance(getattr(layer, "add_k_proj", None), nn.Module)
        ]:
            layer.add_k_proj = _OfText(layer.add_k_proj, self._local)
            layer.add_v_proj = _OfText(layer.add_v_proj, self._local)
            layer.prepare_attention_mask = _Bias(layer, self._local)
