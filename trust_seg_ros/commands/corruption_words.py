"""What words on the command line mean as corruptions, alone or behind a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trust_seg_ros.datasets.corruptions.names import CORRUPTIONS, SEVERITIES, Corruption, parse_corruption

ALL = "all"


def wished_corruptions(words: Sequence[str], seed: int) -> list[Corruption]:
    """``fog:3``, ``fog`` (the default severity), ``fog:all`` and ``all``.

    Raises:
        CorruptionError: no such kind or severity.
    """
    found: list[Corruption] = []
    for word in words:
        kind, _, severity = word.partition(":")
        if word == ALL or severity == ALL:
            kinds = CORRUPTIONS if word == ALL else (parse_corruption(kind).kind,)
            found += [Corruption(name, level, seed) for name in kinds for level in SEVERITIES]
        else:
            wish = parse_corruption(word)
            found.append(Corruption(wish.kind, wish.severity, seed))
    return list(dict.fromkeys(found))


def split_corruption(word: str, seed: int) -> tuple[Path, list[Corruption]]:
    """``DATASET``, ``DATASET:KIND`` or ``DATASET:KIND:SEVERITY``; a colon may belong to the path of the data set."""
    parts = word.split(":")
    for place in (len(parts) - 2, len(parts) - 1):
        if place > 0 and parts[place] in CORRUPTIONS:
            return Path(":".join(parts[:place])), wished_corruptions([":".join(parts[place:])], seed)
    return Path(word), []
