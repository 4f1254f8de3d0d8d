"""The output topics: publishers, which of them have subscribers, and filling messages."""

from __future__ import annotations

from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from vision_msgs.msg import Detection2DArray, LabelInfo

from trust_seg_ros.messages.annotations import AnnotationFields
from trust_seg_ros.messages.compressed_masks import MASKS, SUFFIX, png_fields
from trust_seg_ros.messages.fields import DetectionFields, HeaderFields, ImageFields, LabelFields
from trust_seg_ros.messages.outputs import ANNOTATIONS, DETECTIONS, IMAGE, OUTPUTS
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.messages.summary import SUMMARY
from trust_seg_ros.node import messages, qos
from trust_seg_ros.node.annotations import MISSING, annotations_message, annotations_type
from trust_seg_ros.node.summary import SummaryTopic


class Outputs:
    """Lifecycle publishers of every output, and of masks as PNG; they publish only while the node is active.

    Raises:
        ParameterError: a QoS override has an invalid value.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        # All profiles are checked before the first publisher is created, so that an error leaves none open.
        profiles = {name: self._profile(name) for name in self._there()}
        png = {name: self._profile(f"{name}/{SUFFIX}") for name in MASKS}
        of_summary = self._profile(SUMMARY)
        self._publishers = {name: self._create(name, profile) for name, profile in profiles.items()}
        self._png = {
            name: node.create_lifecycle_publisher(CompressedImage, f"~/{name}/{SUFFIX}", profile)
            for name, profile in png.items()
        }
        self._labels = node.create_lifecycle_publisher(LabelInfo, "~/label_info", qos.latched_qos())
        self.summary = SummaryTopic(node, of_summary)
        """The numbers of every frame."""

    def _profile(self, name: str) -> QoSProfile:
        return qos.output_qos(self._node, self._node.resolve_topic_name(f"~/{name}"))

    def _there(self) -> tuple[str, ...]:
        """The outputs whose message package is installed."""
        if annotations_type() is not None:
            return tuple(OUTPUTS)
        self._node.get_logger().info(MISSING, once=True)
        return tuple(name for name, output in OUTPUTS.items() if output.type != ANNOTATIONS)

    def _create(self, name: str, profile: QoSProfile) -> Any:
        kinds = {DETECTIONS: Detection2DArray, IMAGE: Image}
        kind = kinds.get(OUTPUTS[name].type) or annotations_type()
        return self._node.create_lifecycle_publisher(kind, f"~/{name}", profile)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the outputs that there are."""
        return tuple(self._publishers)

    def watched(self) -> tuple[str, ...]:
        """Names of the outputs that have subscribers at this moment, as they are or as PNG."""
        return tuple(name for name in self._publishers if self._is_listened_to(name))

    def publish(self, name: str, view: Rendering, header: HeaderFields) -> None:
        """Fill one output and publish it, in the forms that have subscribers."""
        fields = OUTPUTS[name].build(view)
        png = self._png.get(name)
        if png is not None and isinstance(fields, ImageFields) and png.get_subscription_count() > 0:
            png.publish(messages.compressed_message(png_fields(fields), header))
        if self._publishers[name].get_subscription_count() > 0:
            self._publishers[name].publish(self._message(fields, header))

    @staticmethod
    def fill(name: str, view: Rendering, header: HeaderFields) -> Any:
        """The message of one output."""
        return Outputs._message(OUTPUTS[name].build(view), header)

    @staticmethod
    def _message(fields: ImageFields | AnnotationFields | tuple[DetectionFields, ...], header: HeaderFields) -> Any:
        if isinstance(fields, ImageFields):
            return messages.image_message(fields, header)
        if isinstance(fields, AnnotationFields):
            return annotations_message(fields, header)
        return messages.detections_message(fields, header)

    def publish_labels(self, fields: LabelFields, header: HeaderFields) -> None:
        """Publish the label info; the middleware keeps it for late subscribers."""
        self._labels.publish(messages.labels_message(fields, header))

    def destroy(self) -> None:
        """Destroy all publishers."""
        for publisher in (*self._publishers.values(), *self._png.values(), self._labels):
            self._node.destroy_lifecycle_publisher(publisher)
        self.summary.destroy()
        self._publishers, self._png = {}, {}

    def _is_listened_to(self, name: str) -> bool:
        forms = (self._publishers[name], self._png.get(name))
        return any(form is not None and form.get_subscription_count() > 0 for form in forms)
