"""The topics of the ground: publishers, which of them have subscribers, and an empty map where the last one is old."""

from __future__ import annotations

from typing import Any

from nav_msgs.msg import OccupancyGrid
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import PointCloud2

from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.ground import (
    CLOUD,
    GRID,
    GROUND_OUTPUTS,
    LABELLED_POINTS,
    OccupancyGridFields,
    PointCloudFields,
)
from trust_seg_ros.node import qos
from trust_seg_ros.node.ground_messages import ground_message

MAP = "caution"
_KINDS: dict[str, type] = {GRID: OccupancyGrid, CLOUD: PointCloud2}


class CautionTopics:
    """Lifecycle publishers of the ground's topics; they publish only while the node is active.

    Raises:
        ParameterError: a QoS override has an invalid value.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        kinds = {name: row.type for name, row in GROUND_OUTPUTS.items()} | {LABELLED_POINTS: CLOUD}
        profiles = {
            name: qos.output_qos(node, node.resolve_topic_name(f"~/{name}"), latched=kind == GRID)
            for name, kind in kinds.items()
        }
        self._publishers: dict[str, Any] = {
            name: node.create_lifecycle_publisher(_KINDS[kinds[name]], f"~/{name}", profile)
            for name, profile in profiles.items()
        }

    def watched(self) -> tuple[str, ...]:
        """Names of the topics that have subscribers at this moment."""
        return tuple(name for name, publisher in self._publishers.items() if publisher.get_subscription_count() > 0)

    def publish(self, name: str, fields: OccupancyGridFields | PointCloudFields, header: HeaderFields) -> None:
        """Publish one topic; the header gives the stamp."""
        self._publishers[name].publish(ground_message(fields, header))

    def destroy(self) -> None:
        """Destroy all publishers."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers = {}
