"""What can be wrong with mining."""

from __future__ import annotations

from trust_seg_ros.errors import TrustSegError


class MiningError(TrustSegError):
    """There is nothing to choose from, or the choice asked for is not possible."""
