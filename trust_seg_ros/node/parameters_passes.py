"""Parameters that say how often the network looks at an image, and how its answers are averaged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trust_seg_ros.node.parameter import AT_CONFIGURE, Parameter
from trust_seg_ros.segmentation.passes import AVERAGES, MOST_OVERLAP, MOST_SCALES, SCALES

PASSES_PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "model_input.window",
        "",
        "Size of the windows, `WIDTHxHEIGHT`, that the network's input is cut into and looked at one by one; empty: "
        "the whole input at once.",
        AT_CONFIGURE,
        pattern=r"([1-9]\d{0,4}x[1-9]\d{0,4})?",
        form="WIDTHxHEIGHT, for example 512x512, or empty",
    ),
    Parameter(
        "model_input.window_overlap",
        0.25,
        "Share of a window that the next one covers, too; answers are averaged there.",
        AT_CONFIGURE,
        low=0.0,
        high=MOST_OVERLAP,
    ),
    Parameter(
        "model_input.scales",
        [1.0],
        "Factors of the input size at which the network looks at each image; its answers are averaged.",
        AT_CONFIGURE,
        low=SCALES[0],
        high=SCALES[1],
        form=f"1 to {MOST_SCALES} numbers from {SCALES[0]:g} to {SCALES[1]:g}",
    ),
    Parameter("model_input.flip", False, "Also look at the mirrored image, and average.", AT_CONFIGURE),
    Parameter(
        "model_input.average",
        AVERAGES[0],
        "What is averaged: `logits` (every score stays available), or `probabilities` (no score of raw logits or "
        "features).",
        AT_CONFIGURE,
        choices=AVERAGES,
    ),
    Parameter(
        "model_input.budget_ms",
        0.0,
        "With several windows, scales or the mirrored image, configuring is refused if they take the network longer "
        "than this for an image of the warm-up's size. 0: no limit.",
        AT_CONFIGURE,
        low=0.0,
        high=1e6,
    ),
)


def passes_settings(v: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ``NetworkSettings`` that these parameters give."""
    width, _, height = v["model_input.window"].partition("x")
    return {
        "window": (int(height), int(width)) if height else None,
        "window_overlap": v["model_input.window_overlap"],
        "scales": tuple(v["model_input.scales"]),
        "flip": v["model_input.flip"],
        "average": v["model_input.average"],
    }
