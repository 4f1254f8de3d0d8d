"""Sets of random scenes of the synthetic drive, one per seed, selected by one text; nothing is read from disk."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.synthetic.looks import LOOKS, scene_in_look
from trust_seg_ros.synthetic.settings import UNKNOWN_KINDS, DriveSettings, SyntheticDriveError

PREFIX = "synthetic:"
FORM = "synthetic:seeds=FIRST-LAST[:kinds=KIND,KIND][:rate=N][:size=WIDTHxHEIGHT][:weather=NAME][:look=NAME]"


@dataclass(frozen=True)
class SyntheticSet:
    """Scenes of the seeds first..last, drawn by ``looks.scene_in_look``.

    Attributes:
        first, last: seeds, both included, 0 <= first <= last.
        kinds: kinds of unknown objects that may appear, out of ``UNKNOWN_KINDS``.
        rate: expected number of them between 4 and 50 metres ahead, in [0, 20].
        size: (height, width).
        weather: one of ``WEATHERS``, or None to draw one for each scene.
        look: one of ``LOOKS``.

    Raises:
        SyntheticDriveError: a value out of these ranges.
    """

    first: int
    last: int
    kinds: tuple[str, ...] = ()
    rate: float = 1.5
    size: tuple[int, int] = (360, 480)
    weather: str | None = None
    look: str = "own"

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last:
            raise SyntheticDriveError(f"seeds {self.first}-{self.last}; expected FIRST-LAST, 0 <= FIRST <= LAST")
        if self.look not in LOOKS:
            raise SyntheticDriveError(f"look is {self.look!r}; expected one of {', '.join(LOOKS)}")
        DriveSettings(
            size=self.size, seed=self.first, weather=self.weather, unknowns=self.kinds, unknown_rate=self.rate
        )

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        words = [f"seeds={self.first}-{self.last}"]
        words += [f"kinds={','.join(self.kinds)}", f"rate={self.rate:g}"] if self.kinds else []
        words += [f"size={self.size[1]}x{self.size[0]}"] + ([f"weather={self.weather}"] if self.weather else [])
        words += [f"look={self.look}"] if self.look != "own" else []
        return PREFIX + ":".join(words)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) uint8 RGB and class ids (H, W) uint8, 255 exactly on unknown objects."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return scene_in_look(self.first + index, self.size, self.kinds, self.rate, self.weather, self.look)


def parse_synthetic_set(text: str) -> SyntheticSet:
    """Parse a text of ``FORM``; ``kinds`` may be "all", ";" may replace ":".

    Raises:
        SyntheticDriveError: another form, an unknown word or a value out of range.
    """
    given: dict[str, str] = {}
    for word in filter(None, re.split("[:;]", text.removeprefix(PREFIX))):
        name, _, value = word.partition("=")
        if name not in ("seeds", "kinds", "rate", "size", "weather", "look") or not value or name in given:
            raise SyntheticDriveError(f"{text!r}: {word!r} is not understood; expected {FORM}")
        given[name] = value
    seeds = re.fullmatch(r"(\d+)-(\d+)", given.get("seeds", ""))
    size = re.fullmatch(r"(\d+)[xX](\d+)", given.get("size", "480x360"))
    rate = re.fullmatch(r"\d+(\.\d+)?", given.get("rate", "1.5"))
    for name, match in (("seeds", seeds), ("size", size), ("rate", rate)):
        if match is None:
            found = f"{name}={given[name]}" if name in given else f"no {name}"
            raise SyntheticDriveError(f"{text!r}: {found}; expected {FORM}")
    assert seeds is not None and size is not None and rate is not None  # noqa: PT018
    kinds = tuple(filter(None, given.get("kinds", "").split(",")))
    return SyntheticSet(
        int(seeds[1]),
        int(seeds[2]),
        UNKNOWN_KINDS if kinds == ("all",) else kinds,
        float(rate[0]),
        (int(size[2]), int(size[1])),
        given.get("weather"),
        given.get("look", "own"),
    )
