"""The networks of Stable Diffusion's x4 upscaler, which DeepFloyd IF's authors point to for a third stage.

A U-Net that draws the latents of a picture, an autoencoder's decoder that makes pixels of them, and CLIP, which reads
the prompt; the classes of diffusers and transformers behind the calls of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from imagen_core.models.attention_record import AttentionRecord
from imagen_core.models.between_blocks import BetweenBlocks
from imagen_core.models.conditioning import UNetConditioning
from imagen_core.models.deepfloyd import NUM_LEVELS, memory_format


class LatentUpscaler(nn.Module):
    """The U-Net. Several threads may call it at the same time."""

    def __init__(self, unet: Any, num_levels: int) -> None:
        """Take a `UNet2DConditionModel` and the largest level of noise on the small picture that it knows.

        Raises:
            ValueError: it does not take a picture beside its latents, or not this level.
        """
        super().__init__()
        config = unet.config
        self.channels = int(config.out_channels)
        if config.in_channels != self.channels + 3 or config.num_class_embeds is None:
            raise ValueError("a U-Net of the x4 upscaler takes latents, a picture and the level of its noise.")
        largest = min(int(config.num_class_embeds), NUM_LEVELS) - 1
        if not 1 <= num_levels <= largest:
            raise ValueError(f"its largest level of noise is {num_levels}, allowed is 1 to {largest}.")
        self.unet = unet
        self.num_levels = num_levels
        self._blocks = BetweenBlocks(unet)

    def forward(
        self,
        x_t: Tensor,
        t: Tensor,
        given: UNetConditioning,
        between_blocks: Callable[[], None] | None = None,
        record: AttentionRecord | None = None,
    ) -> Tensor:
        """Predict v from latents x_t (n, channels, h, w) at timesteps t (n,) in [0, 999]: the same shape.

        low_res is the picture (n, 3, h, w) itself, no larger. The mask is not used; log_weights are added in every
        attention to the text. between_blocks: called before each block of layers. record: not filled.

        Raises:
            ValueError: there is no low_res or aug_level.
        """
        low = given.low_res_and_level(wanted=True)
        assert low is not None
        low_res, aug_level = low
        dtype, weights = self.unet.dtype, given.finite_log_weights(self.unet.dtype)
        x = torch.cat([x_t, low_res], dim=1).to(dtype, memory_format=memory_format(x_t.device))
        with self._blocks.calling(between_blocks):
            output: Tensor = self.unet(
                x,
                t,
                encoder_hidden_states=given.text.to(dtype),
                encoder_attention_mask=None if weights is None else weights[:, None],  # three dimensions: a bias
                class_labels=upscaler_level(aug_level, self.num_levels).long(),
                return_dict=False,
            )[0]
        return output


def upscaler_level(aug_level: Tensor, num_levels: int) -> Tensor:
    """The level of noise for aug_level in [0, 1], a timestep of the noising process; 1 is the largest one trained."""
    return (aug_level * num_levels).round()


class Decoder(nn.Module):
    """An autoencoder from latents to pixels, in float32: in float16 its activations leave the range."""

    def __init__(self, autoencoder: Any) -> None:
        """Take an `AutoencoderKL`."""
        super().__init__()
        self.autoencoder = autoencoder.float()
        self.channels = int(autoencoder.config.latent_channels)
        self.factor = 2 ** (len(autoencoder.config.block_out_channels) - 1)  # pixels a latent and side
        self._scale = float(autoencoder.config.scaling_factor)

    def forward(self, latents: Tensor) -> Tensor:
        """Pictures (n, 3, f h, f w) of latents (n, channels, h, w)."""
        device = next(self.autoencoder.parameters()).device
        pictures: Tensor = self.autoencoder.decode(latents.float().to(device) / self._scale, return_dict=False)[0]
        return pictures


class ClipStates(nn.Module):
    """CLIP's text model behind the call of T5's encoder: all tokens are read, padding too."""

    def __init__(self, clip: nn.Module) -> None:
        super().__init__()
        self.clip = clip

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SimpleNamespace:
        """The states (n, l, width) of tokens (n, l), as `last_hidden_state`."""
        return SimpleNamespace(last_hidden_state=self.clip(input_ids).last_hidden_state)
