"""16-bit samples → 8 bits, by the number of bits that a camera really uses.

Cameras of 10, 12 or 14 bits send their samples in 16, mostly in the lower bits; the upper 8 of 16 would be nearly
black. How many are used is not in the message, so it is taken from the values.
"""

from __future__ import annotations

import cv2
import numpy as np

BITS = (8, 10, 12, 14, 16)
"""Depths that cameras have."""
_DEPTH = "16UC1"


class BitRange:
    """The bits in use of one camera's 16-bit samples.

    The smallest of :data:`BITS` that holds the largest value so far; it grows with later values and never shrinks, so
    that a dark frame is not brightened.

    Args:
        bits: 1 to 16 fixes the number, larger values become white; 0 takes it from the values.
        at_least: with ``bits`` 0, what earlier frames have shown.
    """

    def __init__(self, bits: int = 0, at_least: int = BITS[0]) -> None:
        self._fixed, self._seen = bits, at_least
        self._remarks: dict[str, str] = {}

    @property
    def bits(self) -> int:
        """Bits in use."""
        return self._fixed or self._seen

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be known about the samples converted so far, one sentence per encoding."""
        return tuple(text for text in self._remarks.values() if text)

    def to_8_bits(self, samples: np.ndarray, encoding: str) -> np.ndarray:
        """The upper 8 of the bits in use.

        Args:
            samples: uint16 of any shape and byte order, without an alpha channel.
            encoding: name of their encoding, for the remarks.

        Returns:
            uint8 of the same shape.
        """
        before = self.bits
        if not self._fixed:
            largest = int(samples.max(initial=0))
            self._seen = max(self._seen, next(bits for bits in BITS if largest < 1 << bits))
        if encoding not in self._remarks or self.bits != before:
            self._remarks[encoding] = self._remark(encoding)
        scale = 2.0 ** (8 - self.bits)
        # one pass, limited to 255; it rounds to the nearest, so half a step less cuts off
        cut = 0.5 * min(scale, 1.0) - 0.5
        return cv2.convertScaleAbs(samples.astype(np.uint16, copy=False), alpha=scale, beta=cut)

    def _remark(self, encoding: str) -> str:
        found = f"{self.bits} of 16 bits are in use (found in its values; the node's image_bits fixes it)"
        depth = "read as grey; if these are distances of a depth camera, choose its colour topic"
        parts = [*([] if self._fixed else [found]), *([depth] if encoding == _DEPTH else [])]
        return f"{encoding}: {'; '.join(parts)}" if parts else ""
