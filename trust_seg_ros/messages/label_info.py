"""Decides when ``~/label_info``, which holds the current pixel threshold, is sent again."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from trust_seg_ros.messages.fields import LabelFields, label_fields
from trust_seg_ros.thresholds import ThresholdSettings

PERIOD_S = 1.0
"""Shortest time in seconds between two messages, for thresholds that follow the image."""
VISIBLE = 1.0 / 255.0
"""Smallest change of the threshold on ``confidence`` that is sent: one step of mono8."""


class LabelInfo:
    """Sends the label info when the settings change, and when the image moves the threshold. Thread-safe.

    Args:
        names: names of the classes, index = class id.
        send: publishes the label info.
        clock: returns the time in seconds; for a recording, the recording's time.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        send: Callable[[LabelFields], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._names, self._send, self._clock = names, send, clock
        self._lock = threading.Lock()
        self._settings: ThresholdSettings | None = None
        self._sent: float | None = None
        self._at = -math.inf

    def settings_changed(self, settings: ThresholdSettings, constant: float | None) -> None:
        """Send at once what is known before the next frame.

        Args:
            settings: the new settings.
            constant: the pixel threshold if it does not depend on the image, else None.
        """
        with self._lock:
            before, self._settings = self._settings, settings
            if constant is None and before is not None and _same_pixels(before, settings):
                return  # the threshold of the last frame still holds
            self._at = -math.inf  # the first frame with new settings need not wait
            self._tell(None if _several(settings) else constant)

    def frame_done(self, settings: ThresholdSettings, threshold: float | None) -> None:
        """Send again if the threshold has moved by at least ``VISIBLE``, at most once per ``PERIOD_S``.

        Args:
            settings: used for this frame; ignored if they are no longer current.
            threshold: the pixel threshold of the frame; None if it was not computed.
        """
        if threshold is None or _several(settings):
            return
        with self._lock:
            if self._settings != settings or self._clock() - self._at < PERIOD_S:
                return
            value = label_fields((), threshold, settings.pixel_score).threshold
            if self._sent is None or abs(value - self._sent) >= VISIBLE:
                self._at = self._clock()
                self._tell(threshold)

    def _tell(self, threshold: float | None) -> None:
        assert self._settings is not None
        fields = label_fields(self._names, threshold, self._settings.pixel_score)
        self._sent = fields.threshold
        self._send(fields)


def _same_pixels(one: ThresholdSettings, other: ThresholdSettings) -> bool:
    return (one.pixel, one.pixel_score) == (other.pixel, other.pixel_score)


def _several(settings: ThresholdSettings) -> bool:
    return settings.pixel.within_image
