"""Networks that take squares of one side: an image is cut into overlapping ones, or lies in the corner of one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

Size = tuple[int, int]


@dataclass(frozen=True)
class Squares:
    """How an image reaches a network that takes squares of one side (EoMT: Kerssies et al., CVPR 2025).

    Attributes:
        side: of the squares, in pixels.
        cut: True for squares along the longer side of the image, whose shorter side must have this length: as many as
            cover it, their overlaps equal up to a pixel; what they say is averaged where they overlap. False for one
            square, in whose upper left corner the image lies, black elsewhere; what it says of the rest is dropped.
    """

    side: int
    cut: bool

    def starts(self, size: Size) -> tuple[int, ...]:
        """First row or column of each square, for an image of ``size`` (h, w) as it reaches the network."""
        longer = max(size)
        count = math.ceil(longer / self.side) if self.cut else 1
        overlap = (count * self.side - longer) / (count - 1) if count > 1 else 0
        return tuple(int(index * (self.side - overlap)) for index in range(count))

    def take(self, pixels: torch.Tensor, black: torch.Tensor) -> torch.Tensor:
        """The squares of images.

        Args:
            pixels: (B, 3, h, w), normalised.
            black: (3,), what a black pixel is after the normalisation.

        Returns:
            (B * P, 3, side, side), the P squares of the first image first.
        """
        height, width = pixels.shape[2:]
        if self.cut:
            axis = 2 if height > width else 3
            parts = [pixels.narrow(axis, start, self.side) for start in self.starts((height, width))]
            return torch.stack(parts, 1).flatten(0, 1)
        square = black.to(pixels).view(1, -1, 1, 1).repeat(len(pixels), 1, self.side, self.side)
        square[:, :, :height, :width] = pixels
        return square

    def merge(self, values: torch.Tensor, size: Size) -> torch.Tensor:
        """Maps of the squares as maps of the images, averaged where squares overlap.

        Args:
            values: (B * P, C, s, s); s need not be ``side``: then squares are placed to the nearest pixel.
            size: (h, w) of the images as they reach the network.

        Returns:
            (B, C, h * s / side, w * s / side).
        """
        spots, grid = self._spots(size, values.shape[-1])
        values = values.reshape(-1, len(spots), *values.shape[1:])
        if not self.cut:
            return values[:, 0, :, : grid[0], : grid[1]]
        total = values.new_zeros((values.shape[0], values.shape[2], *grid))
        for index, spot in enumerate(spots):
            total[..., spot[0], spot[1]] += values[:, index]
        return total.div_(self._counts(spots, grid, total))

    def place(self, masks: torch.Tensor, size: Size) -> torch.Tensor:
        """Masks of the squares as masks of the images: zero outside their square.

        Where squares overlap an object has a mask in each; class sums are averaged there, see :meth:`merge`.

        Args:
            masks: (B * P, Q, s, s).
            size: (h, w) of the images as they reach the network.

        Returns:
            (B, P * Q, h * s / side, w * s / side).
        """
        spots, grid = self._spots(size, masks.shape[-1])
        masks = masks.reshape(-1, len(spots), *masks.shape[1:])
        if len(spots) == 1:
            return masks[:, 0, :, : grid[0], : grid[1]]
        placed = masks.new_zeros((masks.shape[0], len(spots), masks.shape[2], *grid))
        for index, spot in enumerate(spots):
            placed[:, index, :, spot[0], spot[1]] = masks[:, index]
        return placed.flatten(1, 2)

    def _spots(self, size: Size, s: int) -> tuple[list[tuple[slice, slice]], Size]:
        """Where each square lies on the grid of the images, and the size of that grid."""
        height, width = (max(1, round(side * s / self.side)) for side in size)
        if not self.cut:
            return [(slice(0, s), slice(0, s))], (height, width)
        spots = []
        for start in self.starts(size):
            first = min(round(start * s / self.side), max(height, width) - s)
            along = slice(first, first + s)
            spots.append((along, slice(None)) if size[0] > size[1] else (slice(None), along))
        return spots, (height, width)

    @staticmethod
    def _counts(spots: list[tuple[slice, slice]], grid: Size, like: torch.Tensor) -> torch.Tensor:
        """(h, w), the number of squares at each pixel, at least 1."""
        counts = like.new_zeros(grid)
        for spot in spots:
            counts[spot] += 1
        return counts.clamp_(min=1)
