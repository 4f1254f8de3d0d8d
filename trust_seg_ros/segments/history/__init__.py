"""What a segment's metrics were before: metrics over time, from the tracks of segments."""

from trust_seg_ros.segments.history.metric_history import HistoryState, MetricHistory, with_time
from trust_seg_ros.segments.history.window import TimeWindow, base_names, is_time_name, time_names

__all__ = ["HistoryState", "MetricHistory", "TimeWindow", "base_names", "is_time_name", "time_names", "with_time"]
