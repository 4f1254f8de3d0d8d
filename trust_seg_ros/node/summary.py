"""``~/summary``: the numbers of every frame; fields → message, and the publisher."""

from __future__ import annotations

from dataclasses import replace

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile

from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.summary import NEEDS, SUMMARY, Circumstances, summary_fields, summary_message
from trust_seg_ros.node.messages import header_message
from trust_seg_ros.types import TrustFrame, Wanted


class SummaryTopic:
    """The lifecycle publisher of the summary; it publishes only while the node is active.

    Args:
        node: owner of the topic.
        profile: its QoS.
    """

    def __init__(self, node: LifecycleNode, profile: QoSProfile) -> None:
        self._node = node
        self._publisher = node.create_lifecycle_publisher(DiagnosticArray, f"~/{SUMMARY}", profile)
        self._name = f"{node.get_fully_qualified_name().lstrip('/')}: {SUMMARY}"
        self._hardware = node.resolve_topic_name("~/image")

    @property
    def watched(self) -> bool:
        """Whether it has subscribers at this moment."""
        return bool(self._publisher.get_subscription_count() > 0)

    def publish(self, result: TrustFrame, header: HeaderFields, around: Circumstances) -> None:
        """Publish the numbers of a frame, under its header."""
        level, text = summary_message(result, around)
        pairs = [KeyValue(key=key, value=value) for key, value in summary_fields(result, around)]
        status = DiagnosticStatus(
            level=bytes([level]), name=self._name, message=text, hardware_id=self._hardware, values=pairs
        )
        self._publisher.publish(DiagnosticArray(header=header_message(header), status=[status]))

    def destroy(self) -> None:
        """Destroy the publisher."""
        self._node.destroy_lifecycle_publisher(self._publisher)


def with_summary(wanted: Wanted) -> Wanted:
    """What must be computed for the summary, too."""
    return replace(wanted, segments=NEEDS.segments, ood=NEEDS.ood, pixel_flags=NEEDS.pixel_flags)
