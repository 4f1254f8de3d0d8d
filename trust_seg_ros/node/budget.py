"""Whether the passes of a frame fit into their budgets, from what recent frames took."""

from __future__ import annotations

import statistics
from collections import deque

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.node.settings import NodeSettings
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.types import TrustFrame
from trust_seg_ros.uncertainty.perturbation import overhead_ms, pass_cost, predicted_ms
from trust_seg_ros.uncertainty.perturbation_settings import PerturbationSettings

_FRAMES = 50
"""Number of recent frames in the median."""
_FEWEST = 2


class PassesRefusedError(TrustSegError):
    """More passes than ``perturbation.budget_ms`` or ``model_input.budget_ms`` allow; the text says what fits."""


class FrameBudget:
    """Remembers how long frames took, and refuses perturbed passes that do not fit in time. Thread-safe.

    It predicts the processing time of a frame, from taking it out of the queue to its last message; waiting and
    transport are not included. On GPUs that are faster with batches the prediction is an upper limit.
    """

    def __init__(self, network: SegmentationNetwork) -> None:
        self._network = network
        # one snapshot, replaced as a whole: size (H, W), and (ms of the network, ms of all but network and passes)
        self._recent: tuple[tuple[int, int], deque[tuple[float, float]]] | None = None

    def frame_done(self, processing_ms: float, result: TrustFrame) -> None:
        """Record how long a frame took, messages included. A frame of another size starts a new record."""
        height, width = result.frame.image.shape[:2]
        network = result.timings_ms["network"]
        rest = max(0.0, processing_ms - network - result.timings_ms.get("perturbation", 0.0))
        recent = self._recent
        past = recent[1] if recent is not None and recent[0] == (height, width) else ()
        self._recent = (height, width), deque((*past, (network, rest)), maxlen=_FRAMES)

    def forget(self) -> None:
        """Discard all measurements."""
        self._recent = None

    def check(self, settings: NodeSettings, before: NodeSettings | None = None) -> None:
        """Refuse settings whose perturbed passes take longer than ``perturbation.budget_ms``. 0 ms = no limit.

        Args:
            settings: the settings to check.
            before: current settings; a setting in use is never refused, even if frames got slower.

        Raises:
            PassesRefusedError: the passes take longer, or those of windows, scales and the mirrored image take longer
                than ``model_input.budget_ms``.
            PerturbationUnavailableError: mc_dropout of a network without dropout.
        """
        if before is None:
            self._check_looks(settings)
        perturbed, limit = settings.thresholds.perturbed, settings.perturbation_budget_ms
        if perturbed is None or limit <= 0 or self._recent is None:
            return
        if before is not None and (before.thresholds.perturbed, before.perturbation_budget_ms) == (perturbed, limit):
            return
        usual, needed = self._predicted(perturbed, 0), self._predicted(perturbed, perturbed.passes)
        if needed <= limit:
            return
        fewer = range(perturbed.passes - 1, _FEWEST - 1, -1)
        most = next((k for k in fewer if self._predicted(perturbed, k) <= limit), 0)
        way_out = f"the largest number that fits is {most}" if most else f"not even {_FEWEST} fit"
        raise PassesRefusedError(
            f"perturbation.passes = {perturbed.passes}: {perturbed.kind} would make a frame of this size take about "
            f"{needed:.0f} ms ({usual:.0f} ms without), more than perturbation.budget_ms = {limit:g}: "
            f"{way_out}; {'take fewer passes' if most else 'take a score of a single pass'}, "
            "or set a larger perturbation.budget_ms, or 0"
        )

    def looks(self, settings: NodeSettings) -> str:
        """How often the network looks at an image and how long that takes, for people; "" where it looks once."""
        passes = settings.pipeline.passes
        if passes.single or self._recent is None:
            return ""
        size, spec = self._recent[0], self._network.input_spec
        took = statistics.median(of_network for of_network, _ in self._recent[1])
        return (
            f"{passes}: {passes.count(spec, size)} passes of the network take about {took:.0f} ms for an image of "
            f"{size[1]}x{size[0]}, one alone about {took / passes.cost(spec, size):.0f} ms"
        )

    def _check_looks(self, settings: NodeSettings) -> None:
        limit = settings.input_budget_ms
        said = self.looks(settings)
        if limit <= 0 or not said or self._recent is None:
            return
        if statistics.median(of_network for of_network, _ in self._recent[1]) > limit:
            raise PassesRefusedError(
                f"model_input: {said}, more than model_input.budget_ms = {limit:g}: take fewer scales or larger "
                "windows, leave model_input.flip off, or set a larger model_input.budget_ms, or 0"
            )

    def _predicted(self, perturbed: PerturbationSettings, passes: int) -> float:
        """Predicted milliseconds of a frame with this many passes."""
        assert self._recent is not None
        size, times = self._recent
        network = statistics.median(of_network for of_network, _ in times)
        rest = statistics.median(of_rest for _, of_rest in times)
        if passes == 0:
            return network + rest
        # the scales of input_scale, and so its cost, depend on the number of passes
        chosen = PerturbationSettings(perturbed.kind, passes, dropout=perturbed.dropout)
        sums = overhead_ms(chosen, size, len(self._network.labels))
        return rest + predicted_ms(network, passes, cost=pass_cost(self._network, chosen), sums_ms=sums)
