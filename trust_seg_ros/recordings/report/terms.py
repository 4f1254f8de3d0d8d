"""Explanations of the report's words, shown when the mouse rests on them."""

from __future__ import annotations

from trust_seg_ros.recordings.report import formats

TERMS = {
    "Frames judged": "images that the network answered",
    "Frames refused": "images without a result, such as damaged ones; the time line says why",
    "Flagged pixels": "pixels whose score is at or above the pixel threshold",
    "Mean entropy": "how evenly the network spreads its probability over the classes: 0 certain, 1 undecided",
    "On unreliable segments": "pixels of segments whose class is probably wrong: P(wrong) at or above its threshold, "
    "and large enough",
    "On OoD segments": "pixels of out-of-distribution segments: they look like nothing the network has learned",
    "Shift": "whether the images no longer resemble the calibration data, so that its promises are void",
    "Time jumps": "times at which a stamp was earlier than the one before, so that earlier frames were forgotten",
    "Threshold, pixels": "score from which a pixel is flagged",
    "Threshold, P(false positive)": "P(wrong) from which a segment is unreliable",
    "Threshold, P(OoD)": "P(OoD) below which an out-of-distribution segment is discarded as a false alarm",
    "Offset": "seconds after the beginning of the recording",
    "Faulty pixels": "pixels whose logits were not finite",
}
"""Name as it stands in the report -> what it means."""


def term_html(name: str) -> str:
    """The name, with its explanation if it has one."""
    if name not in TERMS:
        return formats.text(name)
    return f'<abbr title="{formats.text(TERMS[name])}">{formats.text(name)}</abbr>'
