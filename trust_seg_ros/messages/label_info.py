"""Decides when ``~/label_info``, which holds the class names and a constant threshold, is sent again.

A costmap layer rebuilds its costs at every message and forgets those that were changed at run time, so one is sent only
when its contents change: never because an image has moved a threshold.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from trust_seg_ros.messages.fields import LabelFields, label_fields
from trust_seg_ros.thresholds import ThresholdSettings


class LabelInfo:
    """Sends the label info when the names or a constant threshold have changed. Thread-safe.

    Args:
        names: names of the classes, index = class id.
        send: publishes the label info, which is kept for late subscribers.
    """

    def __init__(self, names: tuple[str, ...], send: Callable[[LabelFields], None]) -> None:
        self._names, self._send = names, send
        self._lock = threading.Lock()
        self._sent: LabelFields | None = None

    def settings_changed(self, settings: ThresholdSettings, constant: float | None) -> None:
        """Send what the settings say, unless it has been sent.

        Args:
            settings: the new settings.
            constant: the pixel threshold if it does not depend on the image, else None: the threshold sent is then 0.
        """
        one_for_all = None if settings.pixel.within_image else constant
        fields = label_fields(self._names, one_for_all, settings.pixel_score)
        with self._lock:
            if fields != self._sent:
                self._sent = fields
                self._send(fields)
