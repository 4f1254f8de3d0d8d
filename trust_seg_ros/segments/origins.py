"""What makes a segment: the neighbourhood of its pixels, or the query of a mask network that claims them."""

from __future__ import annotations

from trust_seg_ros.grid import FITTED

COMPONENTS, QUERIES = "components", "queries"
SEGMENTS_FROM = (COMPONENTS, QUERIES)
"""``components``: 8-connected pixels of one predicted class. ``queries``: the pixels of one predicted class that one
query of a mask network contributes most to, connected or not."""
SETTINGS = (FITTED, *SEGMENTS_FROM)
"""What can be set; ``fitted``: what the meta model was fitted with, ``components`` without one."""
