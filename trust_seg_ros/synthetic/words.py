"""Texts that name synthetic drives, such as ``synthetic:seeds=0-9:hz=10``: what they say, word by word."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from trust_seg_ros.errors import TrustSegError

DRAWN = "synthetic:"
"""Begin of these texts."""
_SIZE = "480x360"


@dataclass(frozen=True)
class DriveWords:
    """What a text says.

    Attributes:
        seeds: of the drives.
        size: (height, width) of the images; 360 x 480 by default.
        numbers: name -> value, as given or as usual.
        texts: name -> value of the other words that are given.
    """

    seeds: range
    size: tuple[int, int]
    numbers: Mapping[str, float]
    texts: Mapping[str, str]


def drive_words(
    text: str, usual: Mapping[str, float], texts: Collection[str], form: str, refused: type[TrustSegError]
) -> DriveWords:
    """Read ``synthetic:seeds=FIRST-LAST`` and the words after it, each at most once.

    Args:
        text: as the user gave it.
        usual: name -> default of the words that are numbers.
        texts: names of other words, besides ``seeds`` and ``size``.
        form: what is expected, for errors.
        refused: class of the errors.

    Raises:
        TrustSegError: of class ``refused``: another form, or an unknown word.
    """
    given: dict[str, str] = {}
    for word in filter(None, text.removeprefix(DRAWN).split(":")):
        name, _, value = word.partition("=")
        if name not in ("seeds", "size", *usual, *texts) or not value or name in given:
            raise refused(f"{text!r}: {word!r} is not understood; expected {form}")
        given[name] = value
    seeds = re.fullmatch(r"(\d+)-(\d+)", given.get("seeds", ""))
    size = re.fullmatch(r"(\d+)[xX](\d+)", given.get("size", _SIZE))
    if seeds is None or size is None or int(seeds[1]) > int(seeds[2]):
        raise refused(f"{text!r}: expected {form}")
    try:
        numbers = {name: float(given.get(name, value)) for name, value in usual.items()}
    except ValueError as error:
        raise refused(f"{text!r}: {error}; expected {form}") from None
    others = {name: given[name] for name in texts if name in given}
    return DriveWords(range(int(seeds[1]), int(seeds[2]) + 1), (int(size[2]), int(size[1])), numbers, others)
