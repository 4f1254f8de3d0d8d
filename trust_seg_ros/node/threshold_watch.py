"""What is in force: told by every frame and every change of settings, read by the diagnostics and ``~/label_info``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trust_seg_ros.message_fields import LabelFields
from trust_seg_ros.node.label_info import LabelInfo
from trust_seg_ros.node.statistics import Statistics
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.types import TrustFrame


class ThresholdWatch:
    """Remembers the last frame's thresholds and sends the label info. Safe between threads.

    Args:
        pipeline: loaded, and its calibration serves the settings in force.
        statistics: shares of what is flagged start afresh with other settings.
        send: publishes the label info.
    """

    def __init__(self, pipeline: TrustPipeline, statistics: Statistics, send: Callable[[LabelFields], None]) -> None:
        self._pipeline, self._statistics = pipeline, statistics
        self._labels = LabelInfo(pipeline.labels.names, send)
        self._last: tuple[ThresholdSettings, Mapping[str, float]] | None = None

    def settings_changed(self, settings: ThresholdSettings) -> None:
        """Other settings are in force from the next frame on."""
        self._statistics.forget_flagged()
        self._labels.settings_changed(settings, self._pipeline.constants(settings).get("pixel"))

    def frame_done(self, settings: ThresholdSettings, result: TrustFrame) -> None:
        """A frame has been judged by these settings."""
        self._last = settings, result.thresholds
        self._labels.frame_done(settings, result.thresholds.get("pixel"))

    def numbers(self, settings: ThresholdSettings) -> Mapping[str, float]:
        """Name -> threshold in force; those that follow the image are of the last frame, and absent before it."""
        last = self._last
        seen = last[1] if last is not None and last[0] == settings else {}
        return {**self._pipeline.constants(settings), **seen}
