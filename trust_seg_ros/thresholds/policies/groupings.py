"""What a threshold can be separate for."""

from __future__ import annotations

ALL, CLASS, REGION, IMAGE = "all", "class", "region", "image"
"""All pixels together, each predicted class, each region of the image, each kind of image by its mean score."""
GROUPINGS = (ALL, CLASS, REGION, IMAGE)
