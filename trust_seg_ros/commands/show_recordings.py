"""Frames of videos and bags for ``trust-seg show``: one every so many seconds."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trust_seg_ros.errors import TrustSegError

if TYPE_CHECKING:
    import numpy as np

LEAST_S = 0.1
"""Smallest distance of two frames that are shown, which their names tell apart."""


def add_recording_arguments(group: argparse._ActionsContainer) -> None:
    """--every, --frames and --bag-topic."""
    group.add_argument(
        "--every",
        type=float,
        default=1.0,
        metavar="S",
        help=f"seconds between two frames that are shown, at least {LEAST_S:g} (default: %(default)s)",
    )
    group.add_argument(
        "--frames", type=int, default=10, metavar="N", help="most frames of one recording (default: %(default)s)"
    )
    group.add_argument("--bag-topic", metavar="TOPIC", help="image topic of a bag (default: the first)")


def check_recordings(args: argparse.Namespace, recordings: Sequence[Path], error: type[TrustSegError]) -> None:
    """Refuse what does not go together with recordings, or is out of range."""
    if not args.every >= LEAST_S:  # also refuses NaN
        raise error(f"--every {args.every:g}: expected seconds, at least {LEAST_S:g}")
    if args.frames < 1:
        raise error(f"--frames {args.frames}: expected at least 1")
    if not recordings:
        return
    if args.truth is not None:
        raise error(f"--truth {args.truth}: there is no ground truth of {recordings[0]}, which is a recording")
    if args.out is not None and args.out.suffix and not args.out.is_dir():
        raise error(f"--out {args.out} is one file for the frames of {recordings[0]}; expected a folder")
    stems = [recording.stem for recording in recordings]
    if twice := next((stem for stem in stems if stems.count(stem) > 1), None):
        raise error(f"two recordings are named {twice}, so that their pictures would be; show one at a time")


def is_recording(path: Path) -> bool:
    """Whether a path is a video or a bag, not an image or a folder of images."""
    from trust_seg_ros.recordings.bags import is_bag
    from trust_seg_ros.recordings.sources import VIDEO_SUFFIXES

    return path.suffix.lower() in VIDEO_SUFFIXES or is_bag(path)


def frames_of(
    args: argparse.Namespace, recording: Path, tell: Callable[[str], None]
) -> Iterator[tuple[str, np.ndarray]]:
    """Name and pixels (H, W, 3) uint8 RGB of the frames that are shown.

    Args:
        args: options of :func:`add_recording_arguments`.
        recording: a video or a bag.
        tell: called with a sentence for each frame that cannot be read; it is left out.

    Raises:
        SourceError: the recording cannot be read.
    """
    from trust_seg_ros.recordings.refusals import Refusals
    from trust_seg_ros.recordings.sources import open_source

    first, due, shown = None, 0.0, 0
    for frame in open_source(recording, topic=args.bag_topic, refusals=Refusals(tell)):
        first = frame.stamp_ns if first is None else first
        seconds = (frame.stamp_ns - first) / 1e9
        if seconds >= due - 1e-6:
            yield f"{recording.stem}_{seconds:07.1f}s", frame.image
            shown, due = shown + 1, max(due, seconds) + args.every
        if shown == args.frames:
            return
