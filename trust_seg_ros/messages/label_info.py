"""When ``~/label_info`` is sent again: its threshold is the one in force on pixels."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from trust_seg_ros.messages.fields import LabelFields, label_fields
from trust_seg_ros.thresholds import ThresholdSettings

PERIOD_S = 1.0
"""Least seconds between two messages for thresholds that follow the image."""
VISIBLE = 1.0 / 255.0
"""Change that a threshold on ``confidence`` (mono8) must have made to be sent: one of its steps."""


class LabelInfo:
    """Sends the label info when the settings change, and when the image moves the threshold. Safe between threads.

    Args:
        names: of the classes, index = class id.
        send: publishes it.
        clock: seconds; of a recording, its own time.
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
            settings: now in force.
            constant: the pixel threshold where it does not depend on the image.
        """
        with self._lock:
            before, self._settings = self._settings, settings
            if constant is None and before is not None and _same_pixels(before, settings):
                return  # what the last frame said still holds
            self._at = -math.inf  # the first frame under new settings need not wait
            self._tell(None if _by_class(settings) else constant)

    def frame_done(self, settings: ThresholdSettings, threshold: float | None) -> None:
        """Send again where the threshold has moved visibly, at most every ``PERIOD_S``.

        Args:
            settings: used for this frame; ignored if they are no longer current.
            threshold: the pixel threshold of the frame; None where nobody asked for it.
        """
        if threshold is None or _by_class(settings):
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


def _by_class(settings: ThresholdSettings) -> bool:
    return settings.pixel.by_class
