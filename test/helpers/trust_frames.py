"""Results of the pipeline with other parts."""

from dataclasses import replace

from trust_seg_ros.types import GridFrame, TrustFrame


def frame_of(frame, *parts, **more):
    """A result that was judged on the pixels of its image: the frame, then what a ``GridFrame`` holds."""
    return TrustFrame(frame, GridFrame(*parts, **more))


def but(result, **parts):
    """The same result with other parts of its ``GridFrame``."""
    return replace(result, on_grid=replace(result.on_grid, **parts))
