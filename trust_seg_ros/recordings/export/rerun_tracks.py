"""Tracks among the detections of a message: their numbers, and a colour that each keeps."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping

from trust_seg_ros.messages.detections import OOD_TRACK, TRACK_RESULTS

_GOLDEN = 0.618034  # multiples of it, modulo 1, are far apart for numbers that follow each other
_HUES = {False: (-20.0, 80.0), True: (150.0, 280.0)}  # degrees around the colours of wrong classes and unknown objects
_NUMBER = TRACK_RESULTS[0]


def is_tracked(scores: Mapping[str, float]) -> bool:
    """Whether the id of a detection is that of its track, by its results, name -> score."""
    return _NUMBER in scores


def track_colour(number: str) -> tuple[int, int, int]:
    """RGB of a track, by its id: "17" is yellow to red, "ood_3" green to violet; the same whenever it is seen."""
    ood = number.startswith(OOD_TRACK)
    digits = number.removeprefix(OOD_TRACK)
    place = int(digits) * _GOLDEN % 1.0 if digits.isdecimal() else 0.0
    low, high = _HUES[ood]
    red, green, blue = colorsys.hsv_to_rgb((low + (high - low) * place) % 360.0 / 360.0, 0.85, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
