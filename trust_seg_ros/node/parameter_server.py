"""Declares the parameter table on a ROS node, checks changes and applies them as one snapshot."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.node.parameter_names import suggestion
from trust_seg_ros.node.parameter_notes import parameter_notes
from trust_seg_ros.node.parameters import AT_ACTIVATE, AT_CONFIGURE, BY_NAME, TABLE, Parameter, ParameterError
from trust_seg_ros.node.settings import NodeSettings, settings_from

Listener = Callable[[NodeSettings, NodeSettings], None]
"""Called with the settings before and after a change."""

Check = Callable[[NodeSettings], None]
"""Raises a TrustSegError for settings that are within the table's ranges but cannot be used."""


class ParameterServer:
    """Declares every parameter of the table on ``node`` and keeps the current settings.

    Types are checked here, because rclpy's error names neither the parameter nor the value; an integer for a double is
    converted before ROS stores it. ``check`` is called for every change, but not for the initial values.

    Attributes:
        notes: initial values without effect.

    Raises:
        ParameterError: an initial value is invalid.
    """

    def __init__(self, node: Node, on_change: Listener, check: Check = lambda _: None) -> None:
        self._node, self._on_change, self._check = node, on_change, check
        overrides = _initial_values(node)
        for parameter in TABLE:
            _declare(node, parameter, overrides)
        self._settings = settings_from(self._values())
        self.notes = parameter_notes(overrides, BY_NAME, node.get_fully_qualified_name(), sys.argv)
        if hasattr(node, "add_pre_set_parameters_callback"):  # since Iron; earlier an integer stays one until the use
            node.add_pre_set_parameters_callback(_converted)
        node.add_on_set_parameters_callback(self._on_set)
        # Since Iron a change is applied after ROS has stored it. Earlier releases have no such callback: there a
        # change is applied as soon as it passes the check, since nothing else refuses parameters of this node.
        self._has_post_set = hasattr(node, "add_post_set_parameters_callback")
        if self._has_post_set:
            node.add_post_set_parameters_callback(self._apply_stored)

    @property
    def settings(self) -> NodeSettings:
        """The current settings; immutable, replaced as a whole."""
        return self._settings

    def refusal(self, parameters: Iterable[RosParameter[Any]]) -> str:
        """Why a change cannot be made: names that nothing declares, with the nearest; "" if all are declared."""
        unknown = [p.name for p in parameters if not self._node.has_parameter(p.name)]
        text = "; ".join(f"there is no parameter {name}{suggestion(name, BY_NAME)}" for name in unknown)
        if text:
            self._node.get_logger().warning(f"refused: {text}")
        return text

    def _values(self) -> dict[str, Any]:
        return {p.name: self._node.get_parameter(p.name).value for p in TABLE}

    def _on_set(self, parameters: Iterable[RosParameter[Any]]) -> SetParametersResult:
        changed = [p for p in parameters if p.name in BY_NAME]
        try:
            for parameter in changed:
                if parameter.type_ == RosParameter.Type.NOT_SET:
                    raise ParameterError(
                        f"parameter {parameter.name} cannot be removed, expected {BY_NAME[parameter.name].expectation}"
                    )
            candidate = settings_from(self._values() | {p.name: p.value for p in changed})
            if changed:
                self._check(candidate)
        except TrustSegError as error:
            self._node.get_logger().warning(f"refused: {error}")
            return SetParametersResult(successful=False, reason=str(error))
        if changed and not self._has_post_set:
            self._apply(candidate, changed)
        return SetParametersResult(successful=True)

    def _apply_stored(self, parameters: Iterable[RosParameter[Any]]) -> None:
        changed = [p for p in parameters if p.name in BY_NAME]
        if changed:
            self._apply(settings_from(self._values()), changed)

    def _apply(self, settings: NodeSettings, changed: Iterable[RosParameter[Any]]) -> None:
        before, self._settings = self._settings, settings
        for parameter in changed:
            when = BY_NAME[parameter.name].applies
            later = f", from the next {when} on" if when in (AT_CONFIGURE, AT_ACTIVATE) else ""
            self._node.get_logger().info(f"{parameter.name} = {parameter.value!r}{later}")
        self._on_change(before, settings)


def descriptor_fields(parameter: Parameter) -> Mapping[str, Any]:
    """Fields of the ParameterDescriptor for one row of the table."""
    fields: dict[str, Any] = {
        "description": f"{parameter.description} Type: {parameter.kind}.",
        "additional_constraints": parameter.expectation,
        "read_only": parameter.read_only,
        "dynamic_typing": True,
    }
    low, high = parameter.low, parameter.high
    if low is not None and high is not None and parameter.kind == "integer":
        fields["integer_range"] = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    if low is not None and high is not None and parameter.kind == "double":
        fields["floating_point_range"] = [FloatingPointRange(from_value=float(low), to_value=float(high), step=0.0)]
    return fields


def _initial_values(node: Node) -> dict[str, Any]:
    """Name -> value of everything that command line, files and constructor set for the node."""
    # rclpy has no public way to ask for those that nothing declares
    return {name: parameter.value for name, parameter in getattr(node, "_parameter_overrides", {}).items()}


def _declare(node: Node, parameter: Parameter, overrides: Mapping[str, Any]) -> None:
    """Declare a parameter; an initial value is converted first, so that ROS stores the parameter's own type."""
    given = parameter.name in overrides
    value = parameter.check(overrides[parameter.name]) if given else parameter.default
    descriptor = ParameterDescriptor(**descriptor_fields(parameter))
    node.declare_parameter(parameter.name, value, descriptor, ignore_override=given)


def _converted(parameters: list[RosParameter[Any]]) -> list[RosParameter[Any]]:
    """The parameters of a change with the types of the table; wrong values stay, and are refused by the check."""
    return [_of_table(parameter) for parameter in parameters]


def _of_table(parameter: RosParameter[Any]) -> RosParameter[Any]:
    row = BY_NAME.get(parameter.name)
    if row is None or parameter.type_ == RosParameter.Type.NOT_SET:
        return parameter
    try:
        value = row.check(parameter.value)
    except ParameterError:
        return parameter
    return RosParameter(parameter.name, getattr(RosParameter.Type, row.kind.upper()), value)
