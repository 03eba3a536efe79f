"""What becomes of a prompt, against diffusers' own way."""

from __future__ import annotations

import pytest
import torch
from diffusers import IFPipeline

from imagen_core.captions import cleaned_caption, missing_for_cleaning, plain_caption
from imagen_core.deepfloyd import Options, load
from imagen_core.memory_plan import MemoryPlan
from imagen_core.shards import CheckpointError

PIPELINE = IFPipeline.__new__(IFPipeline)  # the cleaning needs nothing of what a constructor takes
PROMPTS = ["  A Red Apple ", "see https://example.com/x.png <b>NOW</b> @someone", "ÄÖÜ İ", ""]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_plain_caption_is_that_of_diffusers(prompt: str) -> None:
    assert [plain_caption(prompt)] == PIPELINE._text_preprocessing(prompt, clean_caption=False)


@pytest.mark.skipif(bool(missing_for_cleaning()), reason="needs beautifulsoup4 and ftfy")
@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_cleaned_caption_is_that_of_diffusers(prompt: str) -> None:
    assert [cleaned_caption(prompt)] == PIPELINE._text_preprocessing(prompt, clean_caption=True)
    assert "example" not in cleaned_caption(PROMPTS[1])


@pytest.mark.skipif(not missing_for_cleaning(), reason="the packages are there")
def test_cleaning_without_its_packages_is_refused_before_anything_is_loaded() -> None:
    plan = MemoryPlan("cpu", (), None)
    with pytest.raises(CheckpointError, match="Cleaning captions needs packages: pip install beautifulsoup4 ftfy, or"):
        load({}, plan, torch.device("cpu"), Options(clean_caption=True))
