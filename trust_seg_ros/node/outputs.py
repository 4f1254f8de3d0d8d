"""The output topics: publishers, which of them have subscribers, and filling messages."""

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
    """Lifecycle publishers of every output; they publish only while the node is active.

    Raises:
        ParameterError: a QoS override has an invalid value.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        # All profiles are checked before the first publisher is created, so that an error leaves none open.
        profiles = {name: qos.output_qos(node, node.resolve_topic_name(f"~/{name}")) for name in OUTPUTS}
        self._publishers = {name: self._create(name, profile) for name, profile in profiles.items()}
        self._labels = node.create_lifecycle_publisher(LabelInfo, "~/label_info", qos.latched_qos())

    def _create(self, name: str, profile: QoSProfile) -> Any:
        kind = Detection2DArray if OUTPUTS[name].type == DETECTIONS else Image
        return self._node.create_lifecycle_publisher(kind, f"~/{name}", profile)

    def watched(self) -> tuple[str, ...]:
        """Names of the outputs that have subscribers at this moment."""
        return tuple(name for name, publisher in self._publishers.items() if publisher.get_subscription_count() > 0)

    def publish(self, name: str, view: Rendering, header: HeaderFields) -> None:
        """Fill one output and publish it."""
        self._publishers[name].publish(self.fill(name, view, header))

    @staticmethod
    def fill(name: str, view: Rendering, header: HeaderFields) -> Any:
        """The message of one output."""
        fields = OUTPUTS[name].build(view)
        if isinstance(fields, ImageFields):
            return messages.image_message(fields, header)
        return messages.detections_message(fields, header)

    def publish_labels(self, fields: LabelFields, header: HeaderFields) -> None:
        """Publish the label info; the middleware keeps it for late subscribers."""
        self._labels.publish(messages.labels_message(fields, header))

    def destroy(self) -> None:
        """Destroy all publishers."""
        for publisher in (*self._publishers.values(), self._labels):
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers = {}
