"""Quality of service of every topic, and whether a camera's offer is compatible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)

from trust_seg_ros.node.parameters import ParameterError

_RELIABILITY = {"best_effort": ReliabilityPolicy.BEST_EFFORT, "reliable": ReliabilityPolicy.RELIABLE}
_DURABILITY = {"volatile": DurabilityPolicy.VOLATILE, "transient_local": DurabilityPolicy.TRANSIENT_LOCAL}

_HISTORY = {"keep_last": HistoryPolicy.KEEP_LAST, "keep_all": HistoryPolicy.KEEP_ALL}
_MAX_DEPTH = 1000


def output_qos(node: Node, topic: str, latched: bool = False) -> QoSProfile:
    """QoS of per-frame outputs: reliable, since large best-effort images lose fragments.

    A ``latched`` one keeps its last message for late subscribers. It reaches volatile subscribers, such as RViz, and
    those that ask for transient local, such as the static layer of Nav2; a volatile one would not reach the latter.

    The standard ``qos_overrides.<topic>.publisher.*`` parameters override it. They are read here, because rclpy's
    errors name neither the parameter nor what was expected.

    Raises:
        ParameterError: an override has an invalid value.
    """
    overrides = f"qos_overrides.{topic}.publisher."
    return QoSProfile(
        history=_chosen(node, f"{overrides}history", _HISTORY, HistoryPolicy.KEEP_LAST),
        depth=_depth(node, f"{overrides}depth") or (1 if latched else 5),
        reliability=_chosen(node, f"{overrides}reliability", _RELIABILITY, ReliabilityPolicy.RELIABLE),
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def latched_qos() -> QoSProfile:
    """QoS of ``~/label_info``: late subscribers get the last message."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )


def choose_reliability(setting: str, publishers: Sequence[Any]) -> ReliabilityPolicy:
    """The reliability to request from a camera.

    Args:
        setting: ``auto``, ``best_effort`` or ``reliable``.
        publishers: ``TopicEndpointInfo`` of everyone who publishes the topic.

    Returns:
        For ``auto``: reliable when there are publishers and all offer it; else best effort, which every publisher
        satisfies.
    """
    if setting in _RELIABILITY:
        return _RELIABILITY[setting]
    offers = [info.qos_profile.reliability for info in publishers]
    everyone = bool(offers) and all(offer == ReliabilityPolicy.RELIABLE for offer in offers)
    return _RELIABILITY["reliable" if everyone else "best_effort"]


def camera_qos(node: Node, topic: str, reliability: ReliabilityPolicy, depth: int) -> QoSProfile:
    """QoS of the camera: sensor data of this depth, overridden by ``qos_overrides.<topic>.subscription.*`` parameters.

    rclpy's own overriding options would freeze the first automatic choice as the parameter's value; here an unset
    override stays unset.

    Raises:
        ParameterError: an override has an invalid value.
    """
    overrides = f"qos_overrides.{topic}.subscription."
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=_depth(node, f"{overrides}depth") or depth,
        reliability=_chosen(node, f"{overrides}reliability", _RELIABILITY, reliability),
        durability=_chosen(node, f"{overrides}durability", _DURABILITY, DurabilityPolicy.VOLATILE),
    )


def _depth(node: Node, name: str) -> int:
    value = _declared(node, name, 0, "messages that may wait in the middleware; 0: not set")
    if type(value) is not int or not 0 <= value <= _MAX_DEPTH:
        raise ParameterError(
            f"parameter {name}: {value!r}, expected an integer from 1 to {_MAX_DEPTH}, or 0 for not set; "
            "start the node with another value"
        )
    return value


def _chosen(node: Node, name: str, choices: Mapping[str, Any], unset: Any) -> Any:
    text = ", ".join(choices)
    value = _declared(node, name, "", f"{text}; empty: not set")
    if value != "" and (type(value) is not str or value not in choices):
        raise ParameterError(f"parameter {name}: {value!r}, expected one of {text}; start the node with another value")
    return choices[value] if value else unset


def _declared(node: Node, name: str, unset: Any, description: str) -> Any:
    if not node.has_parameter(name):
        # The caller checks the type: rclpy's error is no TrustSegError and does not say what was expected.
        descriptor = ParameterDescriptor(read_only=True, description=description, dynamic_typing=True)
        node.declare_parameter(name, unset, descriptor)
    return node.get_parameter(name).value


def incompatibility(publishers: Sequence[Any], wanted: QoSProfile) -> str:
    """Why no publisher is compatible with a subscription; "" if one is, or if there is no publisher."""
    reasons = []
    for info in publishers:
        compatible, reason = qos_check_compatible(info.qos_profile, wanted)
        if compatible != QoSCompatibility.ERROR:
            return ""
        reasons.append(f"{info.node_name}: {' '.join(reason.split())}")
    return "; ".join(dict.fromkeys(reasons))
