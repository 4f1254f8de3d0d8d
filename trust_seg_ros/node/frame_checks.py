"""Checks of every frame that is read: of its stamp, its image, and the network's answer. What they find is counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from trust_seg_ros.node.frozen import FrozenWatch, mostly_faulty
from trust_seg_ros.node.parameters_trust_state import TrustStateSettings
from trust_seg_ros.node.statistics import Statistics
from trust_seg_ros.thresholds.shift_statistic import ShiftReference
from trust_seg_ros.trust_state.clocks import StampWatch
from trust_seg_ros.trust_state.image_checks import ImageFault, image_faults, image_numbers
from trust_seg_ros.trust_state.plausible import implausible
from trust_seg_ros.trust_state.streaks import Streaks
from trust_seg_ros.types import TrustFrame

USELESS = " (useless)"
"""What the counter of a fault's worse level ends with."""


class FrameChecks:
    """Looks at one frame after the other, in the worker's thread.

    Args:
        statistics: the clock; counts images of the worse level.
        notice: counts and logs what is wrong, given its counter and a text, unless the text is empty.
        references: of the calibration, for answers that are implausible.
    """

    def __init__(
        self,
        statistics: Statistics,
        notice: Callable[[str, str], None],
        references: Mapping[str, ShiftReference],
    ) -> None:
        self._statistics, self._notice, self._references = statistics, notice, references
        self._frozen, self._stamps = FrozenWatch(), StampWatch()
        self._images, self._answers = Streaks(), Streaks()

    def stamp(self, stamp_ns: int, now_ns: int | None) -> float:
        """By how many seconds stamps have jumped with this frame, back if negative; counted.

        Args:
            stamp_ns: of the frame, not 0.
            now_ns: the node's time; 0 or None = unknown.
        """
        jump = self._stamps.see(stamp_ns / 1e9, now_ns / 1e9 if now_ns else None)
        if jump:
            way = "back" if jump < 0 else "forward"
            self._notice("clock_jump", f"stamps jumped {way} by {abs(jump):.3f} s")
        return jump

    def image(self, image: np.ndarray, frozen_s: float, settings: TrustStateSettings) -> None:
        """Look at an image (H, W, 3) uint8 before the network does.

        Args:
            image: it must not be changed later.
            frozen_s: images that are the same for so long are a fault; 0 = never.
            settings: of the checks.
        """
        now = self._statistics.now()
        self._notice("still", self._frozen.image(image, now, frozen_s))
        if settings.images:
            self._count(self._images.see(image_faults(image_numbers(image), settings.limits), now))
        else:
            self._images.clear()

    def answer(self, result: TrustFrame, frozen_s: float) -> None:
        """Look at what the network has answered.

        Args:
            result: what became of the frame.
            frozen_s: answers that are the same for so long, while images change, are a fault; 0 = never.
        """
        maps, now = result.on_grid.maps, self._statistics.now()
        if maps.faulty_pixels:
            self._notice(
                "faulty",
                f"{maps.faulty_pixels} of {maps.pixels} pixels have logits that are not finite, expected "
                "numbers; published as unlabelled and untrusted; check the model's weights and input normalisation",
            )
            if mostly_faulty(maps):
                self._statistics.count("blind")
        self._notice("frozen", self._frozen.answer(result.frame.image, maps, now, frozen_s))
        text = implausible(result.watched, self._references)
        self._count(self._answers.see([ImageFault("implausible", text, True)] if text else (), now))

    def _count(self, faults: tuple[ImageFault, ...]) -> None:
        for fault in faults:
            self._notice(fault.key, fault.text)
            if fault.useless:
                self._statistics.count(f"{fault.key}{USELESS}")
