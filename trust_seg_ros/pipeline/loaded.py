"""A network with its meta models, calibration and grid, and what can be asked of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from trust_seg_ros import uncertainty
from trust_seg_ros.grid import FITTED, Size, parsed_grid
from trust_seg_ros.meta.features import TIME_SETS, required_set
from trust_seg_ros.meta.model import MetaModel
from trust_seg_ros.meta.ood import OodModel
from trust_seg_ros.meta.ood_judge import OodJudge, fitted_threshold, unit_mistake
from trust_seg_ros.meta.origin import chosen_origin
from trust_seg_ros.meta.over_time import check_tracking, rate_words
from trust_seg_ros.meta.segment_scores import scores_among
from trust_seg_ros.meta.sizes import fitted_grid
from trust_seg_ros.pipeline.device_use import DeviceUse
from trust_seg_ros.pipeline.fitting_together import check_segments, check_together, judges, statistics_of
from trust_seg_ros.pipeline.following import Following
from trust_seg_ros.pipeline.given_scores import GivenScores, ScoreUnavailableError
from trust_seg_ros.pipeline.parts import HostParts, Measuring, Parts
from trust_seg_ros.pipeline.seen import Seen
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.segments.origins import COMPONENTS, QUERIES
from trust_seg_ros.segments.scores import checked_scores
from trust_seg_ros.segments.tracks import TrackingSettings
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.thresholds.adaptation import AdaptationView
from trust_seg_ros.thresholds.control import ThresholdControl
from trust_seg_ros.thresholds.left_open import no_ood_threshold
from trust_seg_ros.thresholds.shift_statistic import ShiftReference
from trust_seg_ros.types import LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty.errors import SettingError
from trust_seg_ros.uncertainty.frame_scores import FrameScores
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.perturbation_settings import PerturbationSettings
from trust_seg_ros.uncertainty.perturbed_network import PerturbedNetwork
from trust_seg_ros.uncertainty.pixel_score import PerturbedScores
from trust_seg_ros.uncertainty.score_names import IN_LOGARITHMS

if TYPE_CHECKING:
    from trust_seg_ros.thresholds.calibration import Calibration

_OF_QUERIES = "mask_uncertainty"  # a score that needs what segments from queries need


class LoadedPipeline:
    """What :class:`TrustPipeline` consists of; questions about settings may come from any thread."""

    def __init__(
        self,
        network: SegmentationNetwork,
        meta: MetaModel | None = None,
        features: str = "metaseg",
        *,
        ood_model: OodModel | None = None,
        gradient: GradientSettings = IN_LOGARITHMS,
        calibration: Calibration | None = None,
        segment_scores: Sequence[str] = (),
        grid: str = FITTED,
        segments_from: str = FITTED,
        tracking: TrackingSettings | None = None,
        gpu_kernels: bool = True,
        cuda_graph: bool = False,
    ) -> None:
        """Put a loaded network and its meta models together.

        Args:
            network: the segmentation network.
            meta: the meta model that judges segments; None = segments are not judged.
            features: name of the least set of segment metrics, as in :class:`PipelineSettings`.
            ood_model: the meta model that judges OoD segments of its score; None = they are not judged.
            gradient: as in :class:`PipelineSettings`.
            calibration: calibration of the network's scores on labelled data.
            segment_scores: as in :class:`PipelineSettings`.
            grid: as in :class:`PipelineSettings`.
            segments_from: as in :class:`PipelineSettings`.
            tracking: as in :class:`PipelineSettings`; None = off.
            gpu_kernels, cuda_graph: as in :class:`PipelineSettings`.

        Raises:
            GridError: ``grid`` is not a grid.
            MetaModelError: a meta model was fitted for another network, other classes, another gradient norm or other
                segments, or it needs metrics that no feature set has.
            CalibrationError: the calibration is of another network, other classes, other gradient scores or other
                segments.
            FeatureError: there is no set ``features``, or one of ``segment_scores`` is not a score for segments.
        """
        self.network, self.meta = network, meta
        self.segments_from = chosen_origin(segments_from, meta)
        self.grid = parsed_grid(grid, fitted_grid(meta, ood_model))
        names, q = meta.features if meta else (), len(network.labels)
        self.segment_scores = checked_scores((*segment_scores, *scores_among(names, q)))
        check_together(network, meta, ood_model, calibration, gradient)
        check_segments(calibration, meta)
        self.features = required_set(names, q, TIME_SETS.get(features, features), self.segment_scores)
        self.ood_model, self.gradient, self.calibration = ood_model, gradient, calibration
        discard_below = None if ood_model is None else 1.0 - ood_model.discard_above
        ood_at = None if ood_model is None else (ood_model.score, fitted_threshold(ood_model, gradient))
        self._thresholds = ThresholdControl(calibration, judges(calibration, meta, ood_model), discard_below, ood_at)
        self._judge_ood = OodJudge(len(network.labels), ood_model, gradient)
        self.tracking = tracking or TrackingSettings()
        check_tracking((meta, ood_model), tracking=self.tracking.on)
        self._following = Following(self.tracking, meta, ood_model) if self.tracking.on else None
        self._seen = Seen()
        self._perturbed = PerturbedNetwork(network)
        self._given = GivenScores(network, self._scores, self._perturbed)
        self._measuring = Measuring(self.features, self.segment_scores, self.segments_from)
        self._on_device = DeviceUse(self._measuring, meta, self._judge_ood, wanted=gpu_kernels, record=cuda_graph)

    @property
    def labels(self) -> LabelSet:
        """Names and colours of the classes."""
        return self.network.labels

    def unavailable(self, name: str, perturbation: PerturbationSettings | None = None) -> str | None:
        """Why the network cannot give a score (one of ``PIXEL_SCORES``); None if it can.

        This needs an answer of the network: the warm-up's is remembered; before a warm-up, the network is run on a
        small made-up image. A perturbation score, with the dropout of ``perturbation``, is tried on a small image when
        it is first asked about; so is a feature score, which may read the file of its statistics.

        Raises:
            SettingError: no such score.
        """
        return self._given.unavailable(name, perturbation)

    def check(self, thresholds: ThresholdSettings, *, one_at_a_time: bool = False) -> None:
        """Refuse thresholds on a score that the network cannot give, and policies that lack their calibration.

        Changes nothing, and may be called from a thread other than the one that handles frames.

        Args:
            thresholds: the settings.
            one_at_a_time: accept a score of OoD segments without a threshold, which may be set next; until then no
                pixel is out of distribution.

        Raises:
            ScoreUnavailableError: the text names the score, or the segments, and what the network lacks.
            PolicyRefusedError: no calibration of the score, or too few images for the chosen guarantee.
            SettingError: no OoD threshold is set, and none is known for the score; or it is the meta model's in the
                other unit of gradient scores.
        """
        needed = [("OoD segments", thresholds.ood_score), ("pixel flags", thresholds.pixel_score)]
        for what, name in (*needed, *(("segment metrics", name) for name in self.segment_scores)):
            reason = self.unavailable(name, thresholds.perturbation)
            if reason is not None:
                raise ScoreUnavailableError(
                    f"network {self.network.name!r} cannot give the score {name!r} for {what}: {reason}"
                )
        if self.segments_from == QUERIES and (reason := self.unavailable(_OF_QUERIES)) is not None:
            raise ScoreUnavailableError(
                f"segments_from is {QUERIES}, but network {self.network.name!r} gives no masks of queries to make "
                f"segments of; expected a mask network (MaskFormer, Mask2Former, …) that looks once at an image, or "
                f"segments_from {COMPONENTS}"
            )
        self._thresholds.check(thresholds)
        if thresholds.calm.on and not self.tracking.on:
            raise SettingError("calm flags follow tracks, and tracking is off: expected tracking on, or calm off")
        missing = no_ood_threshold(thresholds, self.resolved(thresholds))
        if missing and not one_at_a_time:
            raise SettingError(missing)
        if self.ood_model is not None and thresholds.ood.policy == "fixed":
            at = self.resolved(thresholds).ood.value
            wrong = unit_mistake(self.ood_model, thresholds.ood_score, at, self.gradient)
            if wrong:
                raise SettingError(f"OoD threshold: {wrong}")

    def resolved(self, thresholds: ThresholdSettings) -> ThresholdSettings:
        """The settings with what they leave to the calibration and the OoD meta model; for any thread."""
        return self._thresholds.resolved(thresholds)

    def constants(self, thresholds: ThresholdSettings) -> dict[str, float]:
        """Name -> threshold, for thresholds that do not depend on the image; for any thread, like :meth:`check`."""
        return self._thresholds.constants(thresholds)

    def pixel_groups(self, thresholds: ThresholdSettings) -> str:
        """The pixel thresholds by class, region or image in words; "" where there is one for all."""
        return self._thresholds.pixel_groups(thresholds)

    @property
    def adapted(self) -> AdaptationView | None:
        """What feedback has done to the pixel threshold; None before the first frame of policy ``adaptive``."""
        adaptation = self._thresholds.adaptation
        return None if adaptation is None else adaptation.view

    @property
    def watched(self) -> tuple[str, ...]:
        """Statistics of frames that the shift monitor watches."""
        return self._thresholds.watched

    @property
    def shift_references(self) -> Mapping[str, ShiftReference]:
        """Statistic of frames -> its values in the calibration images, for those that the shift monitor watches."""
        return self._thresholds.references

    @property
    def unwatched(self) -> Mapping[str, str]:
        """Statistic of frames -> why the shift monitor does not watch it."""
        return self._thresholds.unwatched

    @property
    def grid_size(self) -> Size | None:
        """(H', W') that the newest frame was judged on; None before the first, and after :meth:`reset`."""
        return self._seen.grid_size

    @property
    def gpu_kernels(self) -> str:
        """Whether the kernels of a GPU make maps and segments, in words: "used", or why not; known after a warm-up."""
        return self._on_device.words(torch.device(self.network.device))

    @property
    def all_ood_at(self) -> tuple[str, float] | None:
        """Score and threshold of the newest frame, if they made all of its pixels OoD segments; else None."""
        return self._seen.all_ood_at

    @property
    def outside(self) -> dict[str, float | None]:
        """Share of the last frames' segments, and OoD segments, outside the range that their meta model was fitted on.

        In words -> 0 to 1; None where nothing was judged since the start or the last :meth:`reset`.
        """
        return self._seen.outside_shares

    @property
    def rate_remark(self) -> str:
        """That frames come at another rate than metrics over time were fitted at, in words; "" = they do not."""
        return rate_words((self.meta, self.ood_model), None if self._following is None else self._following.rate_hz)

    @property
    def ood_fitted_at(self) -> float | None:
        """Threshold at which the OoD meta model was fitted, in the unit of its score here; None without a model."""
        return None if self.ood_model is None else fitted_threshold(self.ood_model, self.gradient)

    def _scores(
        self, logit_maps: LogitMaps, maps: UncertaintyMaps | None = None, perturbed: PerturbedScores | None = None
    ) -> FrameScores:
        maps = uncertainty.uncertainty_maps(logit_maps) if maps is None else maps
        return FrameScores(logit_maps, maps, self.gradient, statistics_of(self.calibration), perturbed)

    def _parts(self, answer: LogitMaps, perturbed: PerturbedScores) -> Parts:
        """What is made of an answer: by the kernels of a GPU where they can run, else on the host."""
        on_device = self._on_device.parts(answer, lambda maps: self._scores(answer, maps, perturbed))
        if on_device is not None:
            return on_device
        maps = uncertainty.uncertainty_maps(answer).host()
        return HostParts(answer, maps, self._scores(answer, maps, perturbed), self._measuring)
