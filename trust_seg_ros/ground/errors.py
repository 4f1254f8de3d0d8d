"""Errors of the ground."""

from trust_seg_ros.errors import TrustSegError


class GroundError(TrustSegError, ValueError):
    """A camera, a pose, a plane or a setting from which no map of the ground can be made; the text says why."""
