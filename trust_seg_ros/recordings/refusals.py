"""Images of a source that cannot be read and are left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from trust_seg_ros.bags.errors import UnreadableFrame

REFUSED = "image refused: "
"""What commands write before the reason."""


@dataclass
class Refusals:
    """Counts refused images and tells each of the first ones.

    Attributes:
        tell: called with one sentence.
        most: so many are told; the others are counted only.
        count: number of refused images.
        first: why the first one was refused; "" without any.
    """

    tell: Callable[[str], None]
    most: int = 20
    count: int = field(default=0, init=False)
    first: str = field(default="", init=False)

    def add(self, text: str) -> None:
        """Note a refused image."""
        self.count += 1
        self.first = self.first or text
        if self.count <= self.most:
            self.tell(text)
        elif self.count == self.most + 1:
            self.tell("and more, which are counted but not named")


def refuse(refusals: Refusals | None, text: str) -> None:
    """Note a refused image.

    Raises:
        UnreadableFrame: nobody takes refusals, so the first refused image is an error.
    """
    if refusals is None:
        raise UnreadableFrame(text)
    refusals.add(text)
