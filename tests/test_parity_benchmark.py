"""The benchmark against diffusers: both programs do the same work, and the figures are what they are called."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from imagen_core.parity_benchmark import Both, _ratios, against_diffusers
from imagen_core.parity_networks import NETWORKS


@pytest.mark.parametrize("name", ["tiny base", "tiny sr256"])
def test_both_programs_call_their_network_as_often_with_as_much(name: str) -> None:
    both = Both(NETWORKS[name], torch.device("cpu"))
    stage = both.cascade.stages[NETWORKS[name].stage]
    calls: dict[str, list[tuple[int, ...]]] = {"ours": [], "theirs": []}
    for who, unet in (("ours", stage.unet.unet), ("theirs", both.pipeline.unet)):
        unet.register_forward_pre_hook(lambda _, given, who=who: calls[who].append(tuple(given[0].shape)))
    assert both.ours(previews=False) > 0
    assert both.ours(previews=True) > 0
    assert both.theirs() > 0
    assert calls["ours"] == 2 * calls["theirs"]
    assert len(calls["theirs"]) == NETWORKS[name].num_steps


def test_a_ratio_is_ours_by_theirs_whoever_goes_first() -> None:
    ratios, ours, theirs = _ratios(lambda: 1.0, lambda: 2.0, pairs=3)
    assert (ratios, ours, theirs) == ([0.5, 0.5, 0.5], 1.0, 2.0)


def test_the_figures_are_ratios_of_seconds() -> None:
    figures: dict[str, Any] = dict(against_diffusers(1, "cpu", ["tiny base"]))
    json.dumps(figures)
    assert set(figures["runs"]) == {"tiny base, previews off", "tiny base, previews on"}
    for kind in ("off", "on"):
        run = figures["runs"][f"tiny base, previews {kind}"]
        assert figures[f"ratio_previews_{kind}"] == run["ratio"]
        assert run["ratio"] == pytest.approx(run["seconds"] / run["seconds_diffusers"], rel=0.02)
