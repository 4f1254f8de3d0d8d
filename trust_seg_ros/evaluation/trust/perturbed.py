"""Scores from perturbed passes of the network, as further scores of the study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from trust_seg_ros.evaluation.errors import TrustStudyError
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.support.nearest import did_you_mean
from trust_seg_ros.types import LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty.perturbation import check_perturbation, perturbation_maps
from trust_seg_ros.uncertainty.perturbation_settings import STATISTICS, PerturbationSettings
from trust_seg_ros.uncertainty.score_names import PERTURBATION_SCORES


@dataclass
class Passes:
    """The perturbed passes of one kind, run once per image for all statistics.

    Attributes:
        network: the network to run.
        settings: kind, number of passes and strength.
        statistics: statistics to compute.
    """

    network: SegmentationNetwork
    settings: PerturbationSettings
    statistics: tuple[str, ...]
    _image: np.ndarray | None = field(default=None, repr=False)
    _found: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def get(self, image: np.ndarray, answer: LogitMaps, statistic: str) -> np.ndarray:
        """(H, W) float32 in [0, 1]; results of the last image are cached."""
        if self._image is not image:
            maps = perturbation_maps(self.network, image, self.settings, self.statistics, answer=answer)
            self._found = {name: values.numpy(force=True) for name, values in maps.statistics.items()}
            self._image = image
        return self._found[statistic]


@dataclass(frozen=True)
class PerturbedScore:
    """One statistic of perturbed passes.

    Attributes:
        passes: shared by the statistics of one kind.
        statistic: one of ``STATISTICS``.
    """

    passes: Passes
    statistic: str

    def __call__(self, image: np.ndarray, answer: LogitMaps, maps: UncertaintyMaps) -> np.ndarray:
        """The score of every pixel (H, W) float32."""
        return self.passes.get(image, answer, self.statistic)

    def __str__(self) -> str:
        return f"{self.passes.settings} {self.statistic}"


def split_name(name: str) -> tuple[str, str]:
    """Kind and statistic of ``input_noise`` (the default statistic) or ``input_noise:vote_variation``.

    Raises:
        TrustStudyError: no such kind or statistic.
    """
    kind, colon, statistic = name.partition(":")
    statistic = statistic if colon else PerturbationSettings.statistic
    if kind not in PERTURBATION_SCORES or statistic not in STATISTICS:
        raise TrustStudyError(
            f"--score {name}: expected {', '.join(PERTURBATION_SCORES)}, alone or with one of "
            f"{', '.join(f':{s}' for s in STATISTICS)}{did_you_mean(kind, PERTURBATION_SCORES)}"
        )
    return kind, statistic


def perturbed_scores(names: Sequence[str], network: SegmentationNetwork, **options: float) -> dict[str, PerturbedScore]:
    """Score for each name; tests each kind on a small picture.

    Args:
        names: names as :func:`split_name` takes them.
        network: runs several times for every image and kind.
        options: fields of ``PerturbationSettings``, e.g. ``passes=8``.

    Raises:
        PerturbationUnavailableError: the network cannot be perturbed in this way.
        SettingError: a number out of range.
    """
    wanted: dict[str, dict[str, str]] = {}
    for name in names:
        kind, statistic = split_name(name)
        wanted.setdefault(kind, {})[name] = statistic
    found: dict[str, PerturbedScore] = {}
    for kind, statistics in wanted.items():
        settings = PerturbationSettings(kind, **options)  # type: ignore[arg-type]  # it checks each option
        check_perturbation(network, settings)
        shared = Passes(network, settings, tuple(dict.fromkeys(statistics.values())))
        found |= {name: PerturbedScore(shared, statistic) for name, statistic in statistics.items()}
    return {name: found[name] for name in names}
