"""Topics of the output bag: the node's topics with the same quality of service."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from trust_seg_ros.bags.reader import BagTopic
from trust_seg_ros.messages.outputs import OUTPUTS
from trust_seg_ros.messages.summary import SUMMARY
from trust_seg_ros.recordings.replay.message_types import DETECTIONS, DIAGNOSTICS, IMAGE, LABELS, type_store
from trust_seg_ros.recordings.replay.options import LABELS_TOPIC, CameraTopic

if TYPE_CHECKING:
    from rosbags.interfaces import Qos

LIVE_OUTPUTS: Mapping[str, str] = {"segmentation": IMAGE, "segments": DETECTIONS}
"""Outputs used to measure the latency of a node that ran during recording: last part of the name -> type."""


@lru_cache(maxsize=256)  # called for every chunk, and describing types takes milliseconds
def output_topics(camera: CameraTopic) -> Mapping[str, BagTopic]:
    """Name of the output -> its topic in the bag of one camera."""
    types = {name: output.type for name, output in OUTPUTS.items()} | {LABELS_TOPIC: LABELS, SUMMARY: DIAGNOSTICS}
    store = type_store()
    return {
        name: BagTopic(
            name=camera.output(name),
            type_name=kind,
            messages=0,
            definition=store.generate_msgdef(kind, ros_version=2)[0],
            digest=store.hash_rihs01(kind),
            qos=(_qos(latched=name == LABELS_TOPIC),),
        )
        for name, kind in types.items()
    }


def _qos(latched: bool) -> Qos:
    """As in node/qos.py: outputs are reliable; ``label_info`` is kept for late subscribers."""
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

    forever = QosTime(9223372036, 854775807)  # what rosbag2 writes for "no limit"
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=1 if latched else 5,
        reliability=QosReliability.RELIABLE,
        durability=QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        deadline=forever,
        lifespan=forever,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=forever,
        avoid_ros_namespace_conventions=False,
    )
