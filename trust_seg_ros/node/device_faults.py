"""Faults of the GPU while frames are processed: memory is given back, and a lost device is reported."""

from __future__ import annotations

from collections.abc import Callable

from trust_seg_ros.support.device_errors import LOST, OUT_OF_MEMORY, classify, described, release


class DeviceFaults:
    """Looks at the errors of frames. Used by the worker's thread.

    Attributes:
        lost: what happened, once the device is lost; "" before. No frame is to be tried any more then.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        """``report`` is called once, with the text, when the device is lost."""
        self._report, self.lost, self._starved = report, "", False

    def described(self, error: BaseException) -> str:
        """A fault of the GPU in words, with the way out; "" for other errors.

        The first of several frames in a row that find no memory empties the allocator's cache: to do so again each time
        would only make every frame slow.
        """
        fault = classify(error)
        if not fault:
            return ""
        text = described(error, fault)
        if fault == OUT_OF_MEMORY and not self._starved:
            release(error)
        self._starved = fault == OUT_OF_MEMORY
        if fault == LOST and not self.lost:
            self.lost = text
            self._report(text)
        return text

    def ended_well(self) -> None:
        """A frame ended without an error."""
        self._starved = False
