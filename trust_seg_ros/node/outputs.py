"""The output topics: their publishers, who listens, and filling one."""

from __future__ import annotations

from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray, LabelInfo

from trust_seg_ros.message_fields import HeaderFields, ImageFields, LabelFields
from trust_seg_ros.node import messages, qos
from trust_seg_ros.rendering import OUTPUTS, Rendering

DETECTIONS = "segments"


class Outputs:
    """Lifecycle publishers of every output; silent until the node is active."""

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._publishers = {name: self._create(name) for name in OUTPUTS}
        self._labels = node.create_lifecycle_publisher(LabelInfo, "~/label_info", qos.latched_qos())

    def _create(self, name: str) -> Any:
        kind = Detection2DArray if name == DETECTIONS else Image
        options = QoSOverridingOptions.with_default_policies()
        return self._node.create_lifecycle_publisher(
            kind, f"~/{name}", qos.output_qos(), qos_overriding_options=options
        )

    def watched(self) -> tuple[str, ...]:
        """Names of the outputs that somebody subscribes to at this moment."""
        return tuple(name for name, publisher in self._publishers.items() if publisher.get_subscription_count() > 0)

    def publish(self, name: str, view: Rendering, header: HeaderFields) -> None:
        """Fill one output and send it."""
        self._publishers[name].publish(self.fill(name, view, header))

    @staticmethod
    def fill(name: str, view: Rendering, header: HeaderFields) -> Any:
        """The message of one output."""
        fields = OUTPUTS[name].build(view)
        if isinstance(fields, ImageFields):
            return messages.image_message(fields, header)
        return messages.detections_message(fields, header)

    def publish_labels(self, fields: LabelFields, header: HeaderFields) -> None:
        """Send the label info; the middleware keeps it for late subscribers."""
        self._labels.publish(messages.labels_message(fields, header))

    def destroy(self) -> None:
        """Take the topics away."""
        for publisher in (*self._publishers.values(), self._labels):
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers = {}
