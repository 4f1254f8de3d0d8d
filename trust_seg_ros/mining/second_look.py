"""The second pass: the chosen frames are read and judged again, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from trust_seg_ros.mining.errors import MiningError
from trust_seg_ros.mining.moment import Moment
from trust_seg_ros.mining.origins import Origin
from trust_seg_ros.mining.selection import Pick
from trust_seg_ros.mining.survey import Surveyor


def moments(pipeline: Surveyor, origins: Sequence[Origin], picks: Sequence[Pick]) -> Iterator[Moment]:
    """The chosen frames with what the network says of them, in the order of the recordings; one at a time in memory.

    Raises:
        MiningError: a recording has changed since the first pass.
        SourceError: it can no longer be read.
    """
    for position, origin in enumerate(origins):
        wanted = {pick.glance.number: pick for pick in picks if pick.glance.origin == position}
        missing = set(wanted)
        for number, frame in origin.some(set(wanted)) if wanted else ():
            pick = wanted[number]
            glance = pick.glance
            if glance.stamp_ns not in (None, frame.stamp_ns):
                break
            missing.discard(number)
            result = replace(pipeline.judged(frame), name=origin.file_of(number) or glance.name)
            yield Moment(glance.name, result, origin.name, glance.stamp_ns, pick.rank, pick.score, glance.why)
        if missing:
            raise MiningError(
                f"{origin.name}: frame {min(missing)} is no longer there, so the recording has changed since it was "
                "looked at; run again, which looks at it anew"
            )
