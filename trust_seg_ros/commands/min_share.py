"""The option ``--min-share``: the smallest segment that is flagged, as the node's thresholds.unreliable_min_share."""

from __future__ import annotations

import argparse

from trust_seg_ros.errors import TrustSegError

DEFAULT = 3e-4
"""``thresholds.settings.MIN_SHARE``, written here again as that module takes a second to load."""


def add_min_share_argument(group: argparse._ActionsContainer, flagged: str) -> None:
    """--min-share; ``flagged`` is what is done with segments of that size, in a word."""
    group.add_argument(
        "--min-share",
        type=float,
        default=DEFAULT,
        metavar="SHARE",
        help=f"smallest segment that is {flagged}, as a share of the image; 0: of any size (default: %(default)s)",
    )


def check_min_share(args: argparse.Namespace, error: type[TrustSegError]) -> None:
    """Refuse what is no share, as ``error``."""
    if not 0.0 <= args.min_share <= 1.0:  # also refuses NaN
        raise error(f"--min-share {args.min_share:g}: expected a share of the image, 0 to 1 (0.0003 is 0.03 %)")
