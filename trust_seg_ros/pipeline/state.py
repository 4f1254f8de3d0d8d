"""What a pipeline remembers of earlier frames."""

from __future__ import annotations

from dataclasses import dataclass

from trust_seg_ros.pipeline.following import FollowingState
from trust_seg_ros.thresholds.control import ThresholdState
from trust_seg_ros.types import Json


@dataclass(frozen=True, eq=False)
class PipelineState:
    """What a pipeline remembers of earlier frames, as plain data, so that an interrupted recording can be resumed.

    Attributes:
        thresholds: of the thresholds and the shift monitor.
        following: of the tracks; None with tracking off.
    """

    thresholds: ThresholdState
    following: FollowingState | None = None

    def to_json(self) -> Json:
        """Plain data, exact; see :meth:`from_json`."""
        following = None if self.following is None else self.following.to_json()
        return {"thresholds": self.thresholds.to_json(), "following": following}

    @classmethod
    def from_json(cls, data: Json) -> PipelineState:
        """The state that :meth:`to_json` was called on."""
        following = data["following"]
        return cls(
            ThresholdState.from_json(data["thresholds"]),
            None if following is None else FollowingState.from_json(following),
        )
