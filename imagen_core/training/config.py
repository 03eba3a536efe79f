"""What each stage is and how it is trained, as data. One place for every number that a training run depends on."""

from __future__ import annotations

from dataclasses import dataclass

from imagen_core.models.unet_config import UNetConfig


@dataclass(frozen=True)
class StageConfig:
    """One stage's network, objective and optimisation.

    size: pixels of a side of the stage's picture; crop: the share of a side that one training picture shows.
    prediction: what the network predicts; snr_cap: the weight of the x_0 error is min(1 + SNR, snr_cap).
    noisy: timesteps are drawn as 999 u^noisy of uniform u; below 1, more of them are noisy ones.
    clean: share of pictures whose low-resolution image is given without noise, aug_level 0, as default recipes do; the
        others have an aug_level drawn evenly from [0, 1].
    soften: the low-resolution image is blurred with a Gaussian of up to so many of its pixels.
    restyled: share of the pictures noised above `restyling.FROM` whose low-resolution image is of other words.
    grounding: weight of the share of attention that goes to the words of the other thing; see `grounding`.
    batch, learning_rate, warm_up (updates): of the optimiser; text_drop: share of pictures trained without text.

    Raises:
        ValueError: the loss knows no such prediction.
    """

    stage: str
    size: int
    crop: float
    unet: UNetConfig
    prediction: str
    snr_cap: float
    noisy: float = 1.0
    clean: float = 0.0
    soften: float = 0.0
    restyled: float = 0.0
    grounding: float = 0.0
    batch: int = 32
    learning_rate: float = 2e-3
    warm_up: int = 50
    text_drop: float = 0.1

    def __post_init__(self) -> None:
        if self.prediction not in ("v", "x_0"):
            raise ValueError(f"prediction is {self.prediction!r}, allowed is 'v' or 'x_0'.")

    @property
    def pixels(self) -> int:
        """Pixels of a side of one training picture."""
        return round(self.size * self.crop)

    @property
    def low_res_pixels(self) -> int:
        """Pixels of a side of its low-resolution image."""
        return self.pixels // 4


CONFIGS = {
    "base": StageConfig(
        stage="base",
        size=64,
        crop=1.0,
        unet=UNetConfig(
            patch=2,
            widths=(64, 128, 256),
            blocks=(2, 2, 2),
            attention=("none", "text", "image and text"),
            middle=3,
            places=True,
            text_layers=2,
        ),
        prediction="v",
        snr_cap=20.0,
        noisy=1.0,
        grounding=0.01,
        batch=48,
    ),
    "sr256": StageConfig(
        stage="sr256",
        size=256,
        crop=1.0,
        unet=UNetConfig(
            patch=4,
            widths=(96, 96, 128),
            blocks=(1, 1, 1),
            attention=("none", "none", "text"),
            low_res=True,
            residual=0.08,
        ),
        prediction="x_0",
        snr_cap=6.0,
        clean=0.5,
        soften=0.5,
        restyled=0.6,
        batch=4,
    ),
    "sr1024": StageConfig(
        stage="sr1024",
        size=1024,
        crop=0.25,
        unet=UNetConfig(
            patch=8,
            widths=(64, 96, 96),
            blocks=(1, 1, 1),
            attention=("none", "none", "text"),
            low_res=True,
            residual=0.045,
        ),
        prediction="x_0",
        snr_cap=6.0,
        clean=0.7,
        soften=0.8,
        batch=8,
    ),
}
