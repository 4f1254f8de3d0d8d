"""Names and severities of the corruptions; needs neither NumPy nor OpenCV."""

from __future__ import annotations

import re
from dataclasses import dataclass

from trust_seg_ros.datasets.errors import DatasetError

CORRUPTIONS: dict[str, str] = {
    "night": "darkness by a gamma curve, washed-out colours, noise of the sensor",
    "fog": "fog that thickens towards the horizon, in banks",
    "rain": "streaks of rain, near and far, and a grey veil",
    "motion_blur": "the camera turns during the exposure",
    "defocus": "the lens is out of focus",
    "low_contrast": "all values drawn towards the mean of the image",
    "over_exposure": "too much light: clipped highlights that bleed into their surroundings",
}
"""Name -> description."""
SEVERITIES = (1, 2, 3, 4, 5)
"""From hardly noticeable to severe."""
DEFAULT_SEVERITY = 3
_SPELLING = re.compile(r"\s*([A-Za-z][A-Za-z _-]*?)\s*(?::\s*([^:]*?)\s*)?")


class CorruptionError(DatasetError):
    """An unknown corruption, or an image that cannot be corrupted."""


@dataclass(frozen=True)
class Corruption:
    """One kind of corruption at one severity.

    Attributes:
        kind: one of ``CORRUPTIONS``.
        severity: one of ``SEVERITIES``.
        seed: selects the noise, the rain, the direction; any whole number from 0.

    Raises:
        CorruptionError: a value out of these ranges.
    """

    kind: str
    severity: int = DEFAULT_SEVERITY
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in CORRUPTIONS:
            raise CorruptionError(f"no corruption {self.kind!r}; choose one of: {', '.join(CORRUPTIONS)}")
        if isinstance(self.severity, bool) or self.severity not in SEVERITIES:
            raise CorruptionError(
                f"severity {self.severity!r} of {self.kind}; expected a whole number from {SEVERITIES[0]} (hardly "
                f"noticeable) to {SEVERITIES[-1]} (severe)"
            )
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise CorruptionError(f"seed {self.seed!r} of {self.kind}; expected a whole number from 0")

    def __str__(self) -> str:
        return f"{self.kind}:{self.severity}"


def parse_corruption(text: str, seed: int = 0) -> Corruption:
    """Parse ``fog:3`` or ``fog``; spaces and hyphens in the name count as underscores.

    Args:
        text: KIND or KIND:SEVERITY; without a severity, ``DEFAULT_SEVERITY``.
        seed: see ``Corruption``.

    Raises:
        CorruptionError: not of this form, an unknown kind, or a severity out of range.
    """
    match = _SPELLING.fullmatch(text)
    if match is None:
        raise CorruptionError(
            f"{text!r} is no corruption; expected KIND or KIND:SEVERITY, for example fog:3; kinds are: "
            f"{', '.join(CORRUPTIONS)}"
        )
    kind = re.sub(r"[ -]+", "_", match[1].lower())
    if match[2] is None:
        return Corruption(kind, seed=seed)
    if not re.fullmatch(r"\d{1,3}", match[2], re.ASCII):
        raise CorruptionError(
            f"severity {match[2]!r} in {text!r}; expected a whole number from {SEVERITIES[0]} to {SEVERITIES[-1]}, for "
            f"example {kind if kind in CORRUPTIONS else 'fog'}:3"
        )
    return Corruption(kind, int(match[2]), seed)
