"""Small checkpoints in DeepFloyd IF's folder layout, random and written by the libraries' own classes."""

from __future__ import annotations

from pathlib import Path
from string import ascii_lowercase

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMScheduler,
    DiffusionPipeline,
    IFPipeline,
    IFSuperResolutionPipeline,
    StableDiffusionUpscalePipeline,
    UNet2DConditionModel,
)
from diffusers.pipelines.deepfloyd_if.watermark import IFWatermarker
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

T5_WIDTH = 32
# As in the large checkpoints; the sizes are small, and so is the number of blocks.
STRUCTURE = {
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "attention_head_dim": 8,
    "cross_attention_dim": 32,
    "encoder_hid_dim": T5_WIDTH,
    "addition_embed_type": "text",
    "addition_embed_type_num_heads": 2,
    "cross_attention_norm": "group_norm",
    "resnet_time_scale_shift": "scale_shift",
    "resnet_skip_time_act": True,
    "resnet_out_scale_factor": 1.4142,
    "mid_block_scale_factor": 1.4142,
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "time_embedding_act_fn": "gelu",
    "act_fn": "gelu",
    "out_channels": 6,
}
SCHEDULER = {
    "beta_schedule": "squaredcos_cap_v2",
    "variance_type": "learned_range",
    "thresholding": True,
    "dynamic_thresholding_ratio": 0.95,
    "prediction_type": "epsilon",
    "clip_sample": True,
}


def tiny_unet(size: int, enlarges: bool) -> UNet2DConditionModel:
    """A U-Net for pictures of `size` pixels, with text attention where they are a quarter of it, or 16, wide."""
    torch.manual_seed(size)
    plain = 1 if size <= 64 else 4
    extra: dict[str, object] = (
        {"in_channels": 6, "class_embed_type": "timestep", "only_cross_attention": True}
        if enlarges
        else {"in_channels": 3}
    )
    unet = UNet2DConditionModel(
        sample_size=size,
        block_out_channels=(8,) * plain + (16,),
        down_block_types=("ResnetDownsampleBlock2D",) * plain + ("SimpleCrossAttnDownBlock2D",),
        up_block_types=("SimpleCrossAttnUpBlock2D",) + ("ResnetUpsampleBlock2D",) * plain,
        **STRUCTURE,
        **extra,
    )
    # A random network multiplies the rounding of one step by more than one in the next; a trained one does not.
    with torch.no_grad():
        unet.conv_out.weight.mul_(0.25)
    return unet.eval()


def tiny_t5() -> T5EncoderModel:
    torch.manual_seed(5)
    config = T5Config(
        vocab_size=64, d_model=T5_WIDTH, d_kv=8, d_ff=32, num_layers=1, num_heads=2, feed_forward_proj="gated-gelu"
    )
    return T5EncoderModel(config).eval()


def tiny_tokenizer() -> T5Tokenizer:
    """Letters, each alone or with a space before it."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(letter, -3.0) for letter in ascii_lowercase] + [(f"▁{letter}", -3.5) for letter in ascii_lowercase]
    return T5Tokenizer(vocab=pieces, extra_ids=0)


def base_pipeline(size: int = 64) -> IFPipeline:
    """Diffusers' first stage, cap 1.5."""
    return IFPipeline(
        tokenizer=tiny_tokenizer(),
        text_encoder=tiny_t5(),
        unet=tiny_unet(size, enlarges=False),
        scheduler=DDPMScheduler(**SCHEDULER, sample_max_value=1.5),
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )


def enlarging_pipeline(size: int = 256) -> IFSuperResolutionPipeline:
    """Diffusers' second stage, cap 1.0, the picture noised on a linear schedule so that the two cannot be mixed up."""
    return IFSuperResolutionPipeline(
        tokenizer=tiny_tokenizer(),
        text_encoder=tiny_t5(),
        unet=tiny_unet(size, enlarges=True),
        scheduler=DDPMScheduler(**SCHEDULER, sample_max_value=1.0),
        image_noising_scheduler=DDPMScheduler(beta_schedule="linear"),
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )


def tiny_clip_tokenizer() -> CLIPTokenizer:
    """Letters, each alone or at the end of a word; "!" pads, as in the published one."""
    letters = ["!", *ascii_lowercase]
    names = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={name: number for number, name in enumerate(names)}, merges=[], pad_token="!", model_max_length=77
    )


def upscaling_pipeline() -> StableDiffusionUpscalePipeline:
    """Diffusers' x4 upscaler, two blocks of it."""
    torch.manual_seed(4)
    clip = CLIPTextConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    unet = UNet2DConditionModel(
        sample_size=32,
        in_channels=7,
        out_channels=4,
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=32,
        attention_head_dim=8,
        num_class_embeds=1000,
        only_cross_attention=(True, True),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    with torch.no_grad():
        unet.conv_out.weight.mul_(0.25)  # as in `tiny_unet`
    decoder = AutoencoderKL(
        block_out_channels=(8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=4,
        norm_num_groups=4,
        scaling_factor=0.08333,
    )
    scaled = {"beta_schedule": "scaled_linear", "beta_start": 0.0001, "beta_end": 0.02}
    return StableDiffusionUpscalePipeline(
        vae=decoder.eval(),
        text_encoder=CLIPTextModel(clip).eval(),
        tokenizer=tiny_clip_tokenizer(),
        unet=unet.eval(),
        low_res_scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        scheduler=DDIMScheduler(**scaled, prediction_type="v_prediction", clip_sample=False),
    )


def write_folder(folder: Path, pipeline: DiffusionPipeline, variant: str | None = None) -> Path:
    """The pipeline as files in diffusers' own layout."""
    pipeline.save_pretrained(folder, safe_serialization=True, variant=variant)
    return folder


def tiny_checker(folder: Path, refuses: bool) -> None:
    """A safety checker that finds every picture unfit, or none; and how pictures are prepared for it."""
    from diffusers.pipelines.deepfloyd_if.safety_checker import IFSafetyChecker

    class Savable(IFSafetyChecker):
        def __init__(self, config: CLIPConfig) -> None:
            super().__init__(config)
            self.post_init()

    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        vision_config={**vision, "image_size": 32, "patch_size": 16, "projection_dim": 8}, text_config=vision
    )
    torch.manual_seed(3)
    checker = Savable(config)
    with torch.no_grad():
        checker.p_head.bias.fill_(100.0 if refuses else -100.0)
        checker.w_head.bias.fill_(-100.0)
    checker.save_pretrained(folder / "safety_checker")
    side = {"height": 32, "width": 32}
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=side).save_pretrained(folder / "feature_extractor")


def tiny_watermark(folder: Path, empty: bool = False) -> None:
    """A watermark: a red square, nowhere see-through."""
    watermarker = IFWatermarker()
    if not empty:
        watermarker.watermark_image.copy_(torch.tensor([255.0, 0.0, 0.0, 255.0]).expand(62, 62, 4))
    watermarker.save_pretrained(folder / "watermarker")


def write_model(folder: Path, variant: str | None = None) -> Path:
    """Both stages at their real sizes, with checker and watermark, in folders called as the stages."""
    write_folder(folder / "base", base_pipeline(), variant)
    write_folder(folder / "sr256", enlarging_pipeline(), variant)
    tiny_checker(folder / "base", refuses=False)
    tiny_watermark(folder / "sr256")
    return folder
