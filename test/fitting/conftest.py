"""A small data set and a network that sees it by colour."""

from blob_data import blobs, colours

__all__ = ["blobs", "colours"]
