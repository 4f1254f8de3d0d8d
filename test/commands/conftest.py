"""A small data set and a network that sees it by colour; figures that nobody looks at closely."""

from blob_data import blobs, colours
from coarse_figures import coarse_figures

__all__ = ["blobs", "coarse_figures", "colours"]
