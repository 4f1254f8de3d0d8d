"""A small data set and a network that sees it by colour; figures that nobody looks at closely."""

from blob_data import blobs, colours
from coarse_figures import coarse_figures
from remembering import shipped_networks_once

__all__ = ["blobs", "coarse_figures", "colours", "shipped_networks_once"]
