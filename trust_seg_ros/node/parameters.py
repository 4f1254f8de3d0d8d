"""Every parameter of the node, once: name, default, range, meaning, and when it takes effect.

Declaration, descriptors, validation, ``config/trust_seg.yaml`` and ``docs/parameters.md`` are all made from ``TABLE``.
Nothing here imports rclpy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.thresholds import PIXEL_SCORES

Value = bool | int | float | str | list[float]

AT_START, AT_CONFIGURE, AT_ACTIVATE, NEXT_FRAME = "start", "configure", "activate", "next frame"

_KINDS = {bool: "bool", int: "integer", float: "double", str: "string", list: "double_array"}
_MAX_SIDE = 16384


class ParameterError(TrustSegError, ValueError):
    """A parameter has a value it cannot have; the text names both and what was expected."""


@dataclass(frozen=True)
class Parameter:
    """One row of the table.

    Attributes:
        name: as ROS knows it; dots group.
        default: also fixes the type.
        description: one or two sentences.
        applies: ``start`` (read-only), or the next moment a changed value is looked at.
        low: smallest value, for numbers.
        high: largest value, for numbers.
        choices: the values there are, for text.
        length: number of elements, for arrays.
    """

    name: str
    default: Value
    description: str
    applies: str = NEXT_FRAME
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    length: int | None = None

    @property
    def kind(self) -> str:
        """Name of the type."""
        return _KINDS[type(self.default)]

    @property
    def read_only(self) -> bool:
        """Whether it is fixed once the node has started."""
        return self.applies == AT_START

    @property
    def expectation(self) -> str:
        """What a value must be, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        span = f" from {_number(self.low)} to {_number(self.high)}" if self.low is not None else ""
        if self.length is not None:
            return f"{self.length} numbers{span}"
        return {"bool": "true or false", "integer": f"an integer{span}", "double": f"a number{span}"}.get(
            self.kind, "text"
        )

    def check(self, value: Any) -> Value:
        """The value in the parameter's own type.

        Integers pass for doubles, and YAML's on / off (which arrive as booleans) for such choices.

        Raises:
            ParameterError: the type or the range does not fit.
        """
        converted = self._convert(value)
        if converted is None or not self._in_range(converted):
            raise ParameterError(f"parameter {self.name}: {value!r} ({_type_name(value)}), expected {self.expectation}")
        return converted

    def _convert(self, value: Any) -> Value | None:
        kind = type(self.default)
        if isinstance(value, bool) and kind is str and {"on", "off"} <= set(self.choices):
            return "on" if value else "off"
        if kind is float and type(value) is int:
            return float(value)
        if kind is list:
            return _numbers(value)
        return value if type(value) is kind else None

    def _in_range(self, value: Value) -> bool:
        if isinstance(value, str):
            return not self.choices or value in self.choices
        if isinstance(value, list):
            return len(value) == self.length and all(self._within(v) for v in value)
        return isinstance(value, bool) or self._within(value)

    def _within(self, value: float) -> bool:
        # written so that NaN is refused
        return math.isfinite(value) and (self.low is None or self.low <= value <= self.high)


def _numbers(value: Any) -> list[float] | None:
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        return None
    items = list(value)
    return [float(v) for v in items] if all(type(v) in (int, float) for v in items) else None


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _type_name(value: Any) -> str:
    return _KINDS.get(type(value), type(value).__name__)


TABLE: tuple[Parameter, ...] = (
    Parameter("autostart", True, "Configure and activate at once instead of waiting for a manager.", AT_START),
    Parameter(
        "model",
        "embedded",
        "The network: `embedded`, `hf:<name on Hugging Face>`, a folder, a .pt2 or TorchScript file, or "
        "`package.module:callable`.",
        AT_CONFIGURE,
    ),
    Parameter("labels", "", "Label set by name or YAML file; empty: the network's own.", AT_CONFIGURE),
    Parameter(
        "meta_model",
        "auto",
        "What judges segments: `auto` (the shipped one for the embedded network, none for others), `none`, or a file.",
        AT_CONFIGURE,
    ),
    Parameter("device", "auto", "Where the network runs: `auto`, `cpu`, `cuda`, `cuda:1`, …", AT_CONFIGURE),
    Parameter(
        "half",
        "auto",
        "Half precision. `auto`: only on a GPU; `on`: on a CPU, too, as bfloat16 where it has that.",
        AT_CONFIGURE,
        choices=("auto", "on", "off"),
    ),
    Parameter(
        "threads",
        0,
        "CPU threads of the network, for the whole process; 0: one per core. Pixel maps and segments do not obey it.",
        AT_CONFIGURE,
        low=0,
        high=256,
    ),
    Parameter(
        "model_input.width",
        0,
        "Columns the network sees; 0, or height 0: as the model says.",
        AT_CONFIGURE,
        low=0,
        high=_MAX_SIDE,
    ),
    Parameter(
        "model_input.height",
        0,
        "Rows the network sees; 0, or width 0: as the model says.",
        AT_CONFIGURE,
        low=0,
        high=_MAX_SIDE,
    ),
    Parameter(
        "model_input.order",
        "auto",
        "Channel order the network wants; `auto`: as the model says.",
        AT_CONFIGURE,
        choices=("auto", "rgb", "bgr"),
    ),
    Parameter(
        "model_input.override_normalisation",
        False,
        "Use `model_input.mean` and `model_input.std` instead of the model's own.",
        AT_CONFIGURE,
    ),
    Parameter(
        "model_input.mean",
        [0.485, 0.456, 0.406],
        "Mean of red, green, blue in units of the scaled image (0 to 1).",
        AT_CONFIGURE,
        low=-1000.0,
        high=1000.0,
        length=3,
    ),
    Parameter(
        "model_input.std",
        [0.229, 0.224, 0.225],
        "Standard deviation of red, green, blue in units of the scaled image.",
        AT_CONFIGURE,
        low=1e-6,
        high=1000.0,
        length=3,
    ),
    Parameter(
        "warm_up.width",
        640,
        "Columns of the image that everything is compiled and warmed with; best the camera's.",
        AT_CONFIGURE,
        low=16,
        high=_MAX_SIDE,
    ),
    Parameter("warm_up.height", 480, "Rows of that image.", AT_CONFIGURE, low=16, high=_MAX_SIDE),
    Parameter(
        "input", "raw", "Type of `~/image`: Image or CompressedImage.", AT_ACTIVATE, choices=("raw", "compressed")
    ),
    Parameter(
        "mode",
        "latest",
        "`latest`: the newest frame, older ones are overwritten; `every`: a queue of `queue_size` frames.",
        AT_ACTIVATE,
        choices=("latest", "every"),
    ),
    Parameter(
        "queue_size",
        10,
        "Frames waiting in mode `every`, of 512 MiB together at most; beyond, the oldest is dropped.",
        AT_ACTIVATE,
        low=1,
        high=1000,
    ),
    Parameter(
        "image_reliability",
        "auto",
        "`auto`: reliable when every publisher of the image offers it, looked at again when publishers come or go.",
        AT_ACTIVATE,
        choices=("auto", "best_effort", "reliable"),
    ),
    Parameter("max_image_pixels", 40_000_000, "Larger images are refused.", low=1, high=1 << 30),
    Parameter(
        "max_age_ms",
        0.0,
        "Diagnostics warn when results are older than this on publication; 0: never.",
        low=0.0,
        high=1e6,
    ),
    Parameter("thresholds.unreliable", 0.5, "P(false positive) from which a segment is flagged.", low=0.0, high=1.0),
    Parameter("thresholds.pixel", 0.6, "Pixel score from which a pixel is flagged.", low=0.0, high=1.0),
    Parameter(
        "thresholds.pixel_score",
        "entropy",
        "Map that `thresholds.pixel` acts on. `~/label_info` holds the threshold on `~/confidence`, which is "
        "1 - entropy: 0 for any other map.",
        choices=PIXEL_SCORES,
    ),
    Parameter("ood.threshold", 0.7, "Entropy from which a pixel is out of distribution.", low=0.0, high=1.0),
    Parameter("ood.min_size", 50, "Smallest out-of-distribution segment in pixels.", low=1, high=1 << 30),
    Parameter(
        "entropy_encoding",
        "mono8",
        "Encoding of `~/entropy` and `~/margin`: 0 to 255, or floats from 0 to 1.",
        choices=("mono8", "32FC1"),
    ),
    Parameter("publish_all_segments", False, "One detection in `~/segments` per segment, not only per flagged one."),
    Parameter("overlay.alpha", 0.5, "Share of the class colour in `~/overlay`.", low=0.0, high=1.0),
    Parameter(
        "diagnostics.period_s", 1.0, "Seconds between two reports on /diagnostics.", AT_START, low=0.1, high=60.0
    ),
)
"""All parameters; those of one group lie together."""

BY_NAME: Mapping[str, Parameter] = {parameter.name: parameter for parameter in TABLE}
