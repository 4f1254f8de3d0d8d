"""Measures of tracking over a drive: CLEAR MOT, tracking length, identity switches, tracks lost and found."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, fields

import numpy as np

from trust_seg_ros.evaluation.tracking.matching import Matches
from trust_seg_ros.evaluation.tracking.overlaps import FrameOverlap

MOST_TRACKED, LEAST_TRACKED = 0.8, 0.2
"""Shares of an object's frames from which it is mostly tracked, and below which it is mostly lost."""
LONGEST_GAP = 5
"""Longest gap in frames, between two matches, that a track should live through."""


@dataclass(frozen=True)
class TrackingCounts:
    """Counts over the frames of one drive, or the sum of several.

    Attributes:
        frames: frames looked at.
        objects: objects that were seen in at least one.
        object_frames: objects in each frame, summed.
        matched: those of them that were matched to a segment.
        false: segments that are no object, summed over the frames.
        switches: matches whose track is another one than that of the object's last match.
        after_gaps: those of them that follow a frame without a match, however long ago the last one was.
        distance: sum over the matches of the distance of the centres of segment and object, pixels.
        mostly_tracked, partially_tracked, mostly_lost: objects by the share of their frames with a match.
        longest: sum over objects of the frames with their most frequent track.
        gaps: times that an object was lost for 1 to ``LONGEST_GAP`` frames between two matches: hidden, or met by no
            segment at all.
        gaps_found: those of them after which it has the track that it had before.
        breaks, breaks_found: the same where segments met it meanwhile, too little of it for a match.
    """

    frames: int = 0
    objects: int = 0
    object_frames: int = 0
    matched: int = 0
    false: int = 0
    switches: int = 0
    after_gaps: int = 0
    distance: float = 0.0
    mostly_tracked: int = 0
    partially_tracked: int = 0
    mostly_lost: int = 0
    longest: int = 0
    gaps: int = 0
    gaps_found: int = 0
    breaks: int = 0
    breaks_found: int = 0

    def __add__(self, other: TrackingCounts) -> TrackingCounts:
        names = [one.name for one in fields(self)]
        return TrackingCounts(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def mota(self) -> float:
        """1 - (missed + false + switches) / objects in frames; at most 1, without a lower end (CLEAR MOT)."""
        return 1.0 - _share(self.object_frames - self.matched + self.false + self.switches, self.object_frames)

    @property
    def motp(self) -> float:
        """Mean distance of the centres of matched segments and objects, pixels, as Maag et al. 2022; lower is better.

        NaN without a match.
        """
        return _share(self.distance, self.matched)

    @property
    def mismatches(self) -> float:
        """Identity switches per object and frame, as Maag et al. 2022."""
        return _share(self.switches, self.object_frames)

    @property
    def switch_share(self) -> float:
        """Identity switches as a share of the matches."""
        return _share(self.switches, self.matched)

    @property
    def tracking_length(self) -> float:
        """Share of the objects' frames with a match, whatever its track: l_t of Maag et al. 2022 where all frames are
        labelled."""
        return _share(self.matched, self.object_frames)

    @property
    def one_track(self) -> float:
        """Share of the objects' frames that lie in their most frequent track."""
        return _share(self.longest, self.object_frames)

    @property
    def precision(self) -> float:
        """Matches among matches and false segments."""
        return _share(self.matched, self.matched + self.false)

    @property
    def found_again(self) -> float:
        """Share of the gaps after which the track goes on; NaN without gaps."""
        return _share(self.gaps_found, self.gaps)


@dataclass
class _History:
    """What became of one object: frames seen in, (frame, track) of every match, frames where only parts were met."""

    seen: int = 0
    matches: list[tuple[int, int]] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)


class TrackingCounter:
    """Follows the objects of one drive.

    Example:
        >>> counter = TrackingCounter()
        >>> for tracks, overlap in drive:
        ...     counter.add(overlap, match(overlap, "cover"), tracks.ids)
        >>> counter.counts().switch_share
    """

    def __init__(self) -> None:
        self._frame = self._false = 0
        self._distance = 0.0
        self._objects: dict[int, _History] = defaultdict(_History)

    def add(
        self,
        overlap: FrameOverlap,
        matches: Matches,
        tracks: np.ndarray,
        counted: np.ndarray | None = None,
        judged: np.ndarray | None = None,
    ) -> None:
        """Count the next frame.

        Args:
            overlap: of its segments and objects.
            matches: of the same.
            tracks: (n,) integers, the track of every segment.
            counted: (m,) bool, objects that count in this frame; None = all. The others are as if not there, and what
                matches them is not false.
            judged: (n,) bool, segments that can be false; None = all.
        """
        counted = np.ones(len(overlap.numbers), bool) if counted is None else counted
        false = matches.false if judged is None else matches.false & judged
        self._false += int(false.sum())
        met = np.zeros(len(overlap.numbers), bool)
        met[overlap.objects] = True
        for k in np.flatnonzero(met & ~(counted & (matches.segment >= 0))):
            if int(overlap.numbers[k]) in self._objects:
                self._objects[int(overlap.numbers[k])].parts.append(self._frame)
        for k in np.flatnonzero(counted):
            history = self._objects[int(overlap.numbers[k])]
            history.seen += 1
            segment = int(matches.segment[k])
            if segment >= 0:
                history.matches.append((self._frame, int(tracks[segment])))
                self._distance += float(np.hypot(*(overlap.centres[segment] - overlap.object_centres[k])))
        self._frame += 1

    def counts(self) -> TrackingCounts:
        """The counts of the frames so far."""
        found = TrackingCounts(self._frame, false=self._false, distance=self._distance)
        for history in self._objects.values():
            found += _of_object(history)
        return found


def _of_object(history: _History) -> TrackingCounts:
    matches, share = history.matches, len(history.matches) / history.seen
    frames, tracks = np.array(matches, np.int64).reshape(-1, 2).T
    same, missing = tracks[1:] == tracks[:-1], np.diff(frames) - 1
    short = (missing >= 1) & (missing <= LONGEST_GAP)
    parts = np.searchsorted(history.parts, frames)  # of each match, frames before it where only parts were met
    whole = parts[1:] == parts[:-1]
    return TrackingCounts(
        objects=1,
        object_frames=history.seen,
        matched=len(matches),
        switches=int((~same).sum()),
        after_gaps=int((~same & (missing >= 1)).sum()),
        mostly_tracked=int(share >= MOST_TRACKED),
        partially_tracked=int(LEAST_TRACKED <= share < MOST_TRACKED),
        mostly_lost=int(share < LEAST_TRACKED),
        longest=int(np.unique(tracks, return_counts=True)[1].max(initial=0)),
        gaps=int((short & whole).sum()),
        gaps_found=int((short & whole & same).sum()),
        breaks=int((short & ~whole).sum()),
        breaks_found=int((short & ~whole & same).sum()),
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
