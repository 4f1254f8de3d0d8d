"""What the newest frames showed that settings should be warned of."""

from __future__ import annotations

from dataclasses import dataclass, field

from trust_seg_ros.grid import Size
from trust_seg_ros.meta.fitted_range import OutsideShare


def _outside() -> dict[str, OutsideShare]:
    return {"segments": OutsideShare(), "OoD segments": OutsideShare()}


@dataclass
class Seen:
    """Empty before the first frame; see the properties of ``TrustPipeline``.

    Attributes:
        grid_size: (H', W') that the newest frame was judged on.
        all_ood_at: score and threshold of the newest frame, if they made all of its pixels OoD segments.
        outside: in words -> share of the last frames' segments outside the range fitted on.
    """

    grid_size: Size | None = None
    all_ood_at: tuple[str, float] | None = None
    outside: dict[str, OutsideShare] = field(default_factory=_outside)

    @property
    def outside_shares(self) -> dict[str, float | None]:
        """In words -> 0 to 1; None where nothing was judged."""
        return {what: seen.share for what, seen in self.outside.items()}
