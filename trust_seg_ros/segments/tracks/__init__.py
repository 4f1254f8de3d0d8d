"""Segments followed from frame to frame: tracks."""

from trust_seg_ros.segments.tracks.settings import TrackingSettings
from trust_seg_ros.segments.tracks.state import TrackerState
from trust_seg_ros.segments.tracks.tracker import Tracker

__all__ = ["Tracker", "TrackerState", "TrackingSettings"]
