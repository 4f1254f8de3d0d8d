"""The output topics: their publishers, who listens, and filling one."""

from __future__ import annotations

from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray, LabelInfo

from trust_seg_ros.messages.fields import HeaderFields, ImageFields, LabelFields
from trust_seg_ros.messages.outputs import DETECTIONS, OUTPUTS
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.node import messages, qos


class Outputs:
    """Lifecycle publishers of every output; silent until the node is active.

    Raises:
        ParameterError: a QoS override has a value it cannot have.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        # All are checked before the first is opened, so that a refusal leaves none behind.
        profiles = {name: qos.output_qos(node, node.resolve_topic_name(f"~/{name}")) for name in OUTPUTS}
        self._publishers = {name: self._create(name, profile) for name, profile in profiles.items()}
        self._labels = node.create_lifecycle_publisher(LabelInfo, "~/label_info", qos.latched_qos())

    def _create(self, name: str, profile: QoSProfile) -> Any:
        kind = Detection2DArray if OUTPUTS[name].type == DETECTIONS else Image
        return self._node.create_lifecycle_publisher(kind, f"~/{name}", profile)

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
