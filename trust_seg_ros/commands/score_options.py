"""Options that take names of pixel scores from the registry; wrong names are refused."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.errors import TrustSegError

ALL = "all"


class LateHelp(argparse.Action):
    """An option whose help text is made only when shown: it needs the registry, which loads torch for a second."""

    def __init__(self, *args: Any, text: Callable[[], str], **options: Any) -> None:
        self._text = text
        super().__init__(*args, **options)

    @property
    def help(self) -> str:
        """The text, made now."""
        return self._text()

    @help.setter
    def help(self, value: str | None) -> None: ...

    def shorten(self) -> None:
        """Show a short text instead, which needs nothing."""
        self._text = lambda: "see --help"

    def __call__(self, parser: object, namespace: argparse.Namespace, values: object, option: object = None) -> None:
        """Store the value."""
        setattr(namespace, self.dest, values)


def add_score_argument(
    group: argparse._ActionsContainer, default: Sequence[str] = (ALL,), *, before: str = "", passes: bool = False
) -> None:
    """--score, of commands that compute pixel scores.

    Args:
        group: option group that lists it.
        default: names of the default scores.
        before: first words of its help.
        passes: also allow scores that need several passes of the network.
    """

    def text() -> str:
        from trust_seg_ros.uncertainty.score_names import PERTURBATION_SCORES, SCORES

        many = ""
        if passes:
            first = PERTURBATION_SCORES[0]
            many = f"; {', '.join(PERTURBATION_SCORES)} of many passes, alone or as {first}:entropy"
        known = f"{', '.join(SCORES)}, or all that the network can give{' in one pass' * passes}"
        return f"{before}{known}{many} (default: {' '.join(default)})"

    group.add_argument("--score", action=LateHelp, text=text, nargs="+", default=list(default), metavar="NAME")


def add_file_argument(group: argparse._ActionsContainer, option: str, text: str) -> None:
    """An option for a file that some scores need.

    Args:
        group: option group that lists it.
        option: for example "--calibration".
        text: its help; ``{scores}`` is replaced by the scores that need statistics.
    """
    from pathlib import Path

    def late() -> str:
        from trust_seg_ros.uncertainty.score_names import CALIBRATED_SCORES

        return text.format(scores=", ".join(CALIBRATED_SCORES))

    file = group.add_argument(option, action=LateHelp, text=late, type=Path, metavar="FILE")
    given.expects(file, given.calibration)


def check_scores(names: Sequence[str], error: type[TrustSegError]) -> None:
    """Refuse names other than ``all`` and the scores of a single pass.

    Raises:
        TrustSegError: of the type ``error``; the text lists all names and the nearest ones.
    """
    from trust_seg_ros.support.nearest import did_you_mean
    from trust_seg_ros.uncertainty.score_names import SCORES

    for name in names:
        if name not in (ALL, *SCORES):
            raise error(f"--score {name}: choose from {', '.join(SCORES)}, or all{did_you_mean(name, SCORES)}")
