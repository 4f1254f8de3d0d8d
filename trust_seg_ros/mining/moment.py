"""A frame that is worth labelling."""

from __future__ import annotations

from dataclasses import dataclass

from trust_seg_ros.library.result import TrustFrame


@dataclass(frozen=True, eq=False)
class Moment:
    """A frame that is worth labelling, with what the network says of it.

    Attributes:
        name: unique in the export; letters of any script, may hold spaces; no path separators; without suffix.
        result: the library's result: image, classes, segments with P(wrong), unknown objects.
        source: what it was taken from, as the user typed it: a bag, a video, a folder.
        stamp_ns: time of the frame in its source, in nanoseconds; None = none.
        rank: 1 = label this first.
        score: 0..1, how much there is to learn, as the chooser says.
        why: one short sentence for a person: "3 unreliable cars, 12 % of the pixels flagged".
    """

    name: str
    result: TrustFrame
    source: str
    stamp_ns: int | None
    rank: int
    score: float
    why: str
