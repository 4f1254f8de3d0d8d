"""``~/summary`` of a replayed frame: the numbers that the node tells of it, without what belongs to a machine."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trust_seg_ros.messages.summary import SUMMARY, Pairs, summary_fields, summary_message
from trust_seg_ros.recordings.replay.options import NODE, CameraTopic
from trust_seg_ros.types import TrustFrame


@dataclass(frozen=True)
class StatusFields:
    """diagnostic_msgs/DiagnosticStatus.

    Attributes:
        level: 0 (OK) to 2 (ERROR).
        name: node and part, as in ``/diagnostics``.
        message: in words.
        hardware_id: topic of the camera.
        values: keys and values.
    """

    level: int
    name: str
    message: str
    hardware_id: str
    values: Pairs


def summary_status(result: TrustFrame, camera: CameraTopic, in_order: bool) -> StatusFields:
    """The status of a frame. Times and the trust state are not known: they are of the machine that runs the node.

    Args:
        result: what became of the frame.
        camera: where it comes from.
        in_order: whether the frames of the recording are judged in order; else the shift monitor's numbers, which
            depend on where a chunk begins, are left to the frame table, which is made in order.
    """
    told = replace(result, timings_ms={}, shift=result.shift if in_order else None)
    level, text = summary_message(told)
    name = f"{camera.namespace.lstrip('/')}/{NODE}".lstrip("/")
    return StatusFields(level, f"{name}: {SUMMARY}", text, camera.topic, summary_fields(told))
