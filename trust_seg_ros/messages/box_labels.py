"""What is written beside the box of a segment, in exports and annotations."""

from __future__ import annotations

from trust_seg_ros.drawing.wording import not_class, unknown_object, unknown_score
from trust_seg_ros.messages.detections import OOD


def box_label(
    name: str,
    p_wrong: float | None,
    strange: tuple[str, float] | None,
    iou: float | None = None,
    track: str = "",
) -> str:
    """Label of a box, such as "not Car, 73 %, IoU 0.21", or "unknown, 91 % (read as Road)" for an OoD segment.

    Args:
        name: class predicted; "" if there is none.
        p_wrong: P(wrong) in [0, 1]; None without a meta model, or for an OoD segment.
        strange: ``OOD`` with P(OoD), or ``OOD_SCORE`` with the mean score, of an OoD segment or of a segment that lies
            on some; else None.
        iou: predicted IoU; None to leave it out.
        track: id of its track, such as "17" or "ood_3", which then stands before the rest; "" without tracking.
    """
    text = "" if p_wrong is None else not_class(name, p_wrong)
    if strange is not None:
        kind, value = strange
        said = unknown_object(value) if kind == OOD else unknown_score(value)
        text = f"{text}, {said}" if text else f"{said} (read as {name})" if name else said
    text = text or name
    if iou is not None:
        text += f", IoU {iou:.2f}"
    return f"{track}: {text}" if track else text
