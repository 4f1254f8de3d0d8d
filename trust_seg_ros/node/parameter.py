"""One parameter of the node: name, default, range, meaning, and the check of values. Does not import rclpy."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.support.nearest import did_you_mean

Value = bool | int | float | str | list[float]

AT_START, AT_CONFIGURE, AT_ACTIVATE, NEXT_FRAME = "start", "configure", "activate", "next frame"

_KINDS = {bool: "bool", int: "integer", float: "double", str: "string", list: "double_array"}


class ParameterError(TrustSegError, ValueError):
    """A parameter has an invalid value; the text names the parameter, the value and what was expected."""


@dataclass(frozen=True)
class Parameter:
    """One row of the table.

    Attributes:
        name: ROS name; dots separate groups.
        default: default value; its type is the parameter's type.
        description: one or two sentences.
        applies: when a changed value takes effect; ``start``: read-only.
        low: smallest value, for numbers.
        high: largest value, for numbers.
        choices: allowed values, for text.
        pattern: regular expression that text must match as a whole; "" = any.
        form: such text in words.
        length: number of elements, for arrays; None = at least one.
    """

    name: str
    default: Value
    description: str
    applies: str = NEXT_FRAME
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    length: int | None = None
    pattern: str = ""
    form: str = ""

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
        """The valid values in words, for example ``a number from 0 to 1``."""
        if self.form:
            return self.form
        if self.choices:
            return "one of " + ", ".join(self.choices)
        span = f" from {_number(self.low)} to {_number(self.high)}" if self.low is not None else ""
        if self.length is not None:
            return f"{self.length} numbers{span}"
        return {"bool": "true or false", "integer": f"an integer{span}", "double": f"a number{span}"}.get(
            self.kind, "text"
        )

    def check(self, value: Any) -> Value:
        """Check a value and convert it to the parameter's type.

        Integers are accepted for doubles, and booleans for the choices ``on`` and ``off``, as YAML reads these.

        Raises:
            ParameterError: wrong type or out of range.
        """
        converted = self._convert(value)
        if converted is None or not self._in_range(converted):
            near = did_you_mean(value, self.choices)
            raise ParameterError(
                f"parameter {self.name}: {value!r} ({_type_name(value)}), expected {self.expectation}{near}"
            )
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
            fits = not self.pattern or re.fullmatch(self.pattern, value) is not None
            return fits and (not self.choices or value in self.choices)
        if isinstance(value, list):
            counted = len(value) > 0 if self.length is None else len(value) == self.length
            return counted and all(self._within(v) for v in value)
        return isinstance(value, bool) or self._within(value)

    def _within(self, value: float) -> bool:
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return math.isfinite(value) and low <= value <= high


def listed(names: Sequence[str]) -> str:
    """Names as code in a sentence: ```a`, `b` and `c```."""
    *most, last = (f"`{name}`" for name in names)
    return f"{', '.join(most)} and {last}" if most else last


def _numbers(value: Any) -> list[float] | None:
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        return None
    items = list(value)
    return [float(v) for v in items] if all(type(v) in (int, float) for v in items) else None


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _type_name(value: Any) -> str:
    return _KINDS.get(type(value), type(value).__name__)
