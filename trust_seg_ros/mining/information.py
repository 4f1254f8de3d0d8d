"""How much there is to learn from a frame: what is probably wrong in it, and what the network does not know.

    information = sum over segments s of P(wrong of s) · sqrt(S_s / S)
                + sum over unknown objects u of P(OoD of u) · sqrt(S_u / S)

S_s, S_u and S are numbers of pixels of a segment, an unknown object and the whole grid: a frame twice as large gives
the same number. The root lies half way between counting segments (a far pedestrian is worth as much as a building) and
counting pixels (a pedestrian is worth nothing). Without a meta model the mean entropy of a segment, which is between 0
and 1, stands for P(wrong); an unknown object that no meta model has judged counts fully.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.library.judged import JudgedImage

_NAMED = 3
"""Classes that are named in the sentence."""


@dataclass(frozen=True)
class Information:
    """How much there is to learn from a frame, and why.

    Attributes:
        wrong: the sum over segments, 0 or more.
        unknown: the sum over unknown objects, 0 or more.
        why: one short sentence for a person.
    """

    wrong: float
    unknown: float
    why: str

    @property
    def total(self) -> float:
        """The information of the frame, 0 or more."""
        return self.wrong + self.unknown


def information(result: JudgedImage) -> Information:
    """How much there is to learn from a frame.

    Args:
        result: of the pipeline, with segments; unknown objects count where they were wanted.

    Raises:
        ExportError: the result was computed without segments.
    """
    table, trust = result.needed_segments("information"), result.trust
    doubt = table.column("E") if trust is None else trust.p_wrong
    height, width = result.on_grid.size
    wrong = float((np.clip(doubt, 0, 1) * np.sqrt(table.sizes / (height * width))).sum())
    return Information(wrong, _unknown(result), why(result))


def _unknown(result: JudgedImage) -> float:
    ood = result.on_grid.ood
    if ood is None:
        return 0.0
    certain = np.ones(len(ood.kept)) if ood.p_ood is None else np.where(np.isnan(ood.p_ood), 1.0, ood.p_ood)
    return float((certain * np.sqrt(ood.sizes / ood.ids.size))[ood.kept].sum())


def why(result: JudgedImage) -> str:
    """The frame in one sentence: "unreliable: 3 Car, 1 Pole; 2 unknown objects; 12 % of the pixels flagged"."""
    parts = []
    if result.segments is not None and (names := Counter(s.class_name for s in result.segments.unreliable())):
        largest = sorted(names.items(), key=lambda pair: (-pair[1], pair[0]))
        listed = [f"{count} {name}" for name, count in largest[:_NAMED]]
        if rest := sum(count for _, count in largest[_NAMED:]):
            listed.append(f"{rest} other{'s' * (rest > 1)}")
        parts.append(f"unreliable: {', '.join(listed)}")
    if found := len(result.unknown_objects):
        parts.append(f"{found} unknown object{'s' * (found > 1)}")
    if result.pixel_flags is not None:
        parts.append(f"{100 * float(result.pixel_flags.mean()):.0f} % of the pixels flagged")
    return "; ".join(parts) or f"mean entropy {float(result.maps.entropy.mean()):.2f}"
