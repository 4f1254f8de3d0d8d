"""The pipeline: image in, TrustFrame out. The only place that puts the steps in order; no ROS here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from trust_seg_ros import segments, uncertainty
from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.grid import FITTED, Size, parsed_grid
from trust_seg_ros.meta.features import required_set
from trust_seg_ros.meta.fitted_range import OutsideShare
from trust_seg_ros.meta.model import MetaModel
from trust_seg_ros.meta.ood import OodModel
from trust_seg_ros.meta.ood_judge import OodJudge, fitted_threshold, unit_mistake
from trust_seg_ros.meta.segment_scores import check_feature_columns, check_gradient_columns, scores_among
from trust_seg_ros.meta.shipped import chosen_meta, chosen_ood_meta
from trust_seg_ros.meta.sizes import fitted_grid
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.segments.scores import checked_scores, score_planes
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.support.laps import LapClock
from trust_seg_ros.support.torch_threads import set_threads
from trust_seg_ros.thresholds import ThresholdSettings, warm
from trust_seg_ros.thresholds.control import FrameThresholds, ThresholdControl, ThresholdState
from trust_seg_ros.thresholds.flags import large_enough
from trust_seg_ros.thresholds.shipped import chosen_calibration
from trust_seg_ros.types import (
    Frame,
    GridFrame,
    LogitMaps,
    SegmentTable,
    SegmentTrust,
    TrustFrame,
    UncertaintyMaps,
    Wanted,
)
from trust_seg_ros.uncertainty.errors import SettingError
from trust_seg_ros.uncertainty.feature_scores import warm_up_features
from trust_seg_ros.uncertainty.frame_scores import FrameScores
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.network_statistics import NO_STATISTICS, NetworkStatistics
from trust_seg_ros.uncertainty.perturbation_settings import PerturbationSettings
from trust_seg_ros.uncertainty.perturbed_network import PerturbedNetwork
from trust_seg_ros.uncertainty.pixel_score import PerturbedScores
from trust_seg_ros.uncertainty.score_names import (
    FEATURE_SCORES,
    GRADIENT_SCORES,
    IN_LOGARITHMS,
    PERTURBATION_SCORES,
    SCORES,
    SOFTMAX_SCORES,
    find_score,
)

if TYPE_CHECKING:
    from trust_seg_ros.thresholds.calibration import Calibration

_DEFAULT = ThresholdSettings()
_WITHOUT_FEATURES = tuple(name for name in SCORES if name not in FEATURE_SCORES)


class ScoreUnavailableError(TrustSegError):
    """A threshold is set on a score that the network cannot give."""


@dataclass(frozen=True)
class PipelineSettings(NetworkSettings):
    """Settings chosen once, before the first frame: the network, and what is computed from its answer.

    Attributes:
        meta_model: "auto" (the shipped one for the embedded network, none for others), "none",
            or a JSON file written by ``trust-seg fit``; ``~`` is the home directory.
        ood_meta_model: the same for OoD segments: "auto", "none", or a file of ``trust-seg benchmark --save-meta``.
        gradient: norm, variant and scale of the gradient scores; logarithms by default, which suit thresholds and means
            over segments.
        calibration: "auto" (the shipped one for the embedded networks, none for others), "none" or "", or a file of
            ``trust-seg calibrate`` for this network; without one there are neither standardized_max_logit nor
            feature scores.
        features: name of the least set of segment metrics; for a meta model that needs more, the smallest set that
            holds them is computed.
        segment_scores: pixel scores (of ``segments.scores.SEGMENT_SCORES``) whose means over segments and their parts
            become metrics, too: columns ``energy``, ``energy_in``, …; scores that a meta model needs are added
            automatically.
        grid: the grid that segments and their metrics are made on, see ``trust_seg_ros.grid``: "fitted" (the area of
            the grid that the meta model names; the image where there is none), "network" (the logits' own), "image",
            "WIDTHxHEIGHT", or "area:WIDTHxHEIGHT".
        threads: CPU threads of the network, for the whole process; 0 = the number before a pipeline changed it:
            torch's choice, one per core, or the program's own call of ``torch.set_num_threads``.
    """

    meta_model: str = "auto"
    ood_meta_model: str = "auto"
    gradient: GradientSettings = IN_LOGARITHMS
    calibration: str = "auto"
    features: str = "metaseg"
    segment_scores: tuple[str, ...] = ()
    grid: str = FITTED
    threads: int = 0


class TrustPipeline:
    """Network, maps, segments, meta models and thresholds in order. One caller at a time.

    Example:
        >>> pipeline = TrustPipeline.load()
        >>> result = pipeline(Frame(image))
        >>> wrong = result.segments.class_ids[result.trust.unreliable]
    """

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

        Raises:
            GridError: ``grid`` is not a grid.
            MetaModelError: a meta model was fitted for another network, other classes or another gradient norm, or it
                needs metrics that no feature set has.
            CalibrationError: the calibration is of another network, other classes or other gradient scores.
            FeatureError: there is no set ``features``, or one of ``segment_scores`` is not a score for segments.
        """
        self.network, self.meta = network, meta
        self.grid = parsed_grid(grid, fitted_grid(meta, ood_model))
        names, q = meta.features if meta else (), len(network.labels)
        self.segment_scores = checked_scores((*segment_scores, *scores_among(names, q)))
        running, sha256 = (network.name, network.labels.names), network_sha256(network)
        if meta is not None:
            meta.check_fits(*running, sha256)
            check_gradient_columns(meta, scores_among(names, q), gradient)
            check_feature_columns(meta, scores_among(names, q), _statistics(calibration))
        self.features = required_set(names, q, features, self.segment_scores)
        if ood_model is not None:
            ood_model.check_fits(*running, ood_model.score, sha256)
        self.ood_model, self.gradient = ood_model, gradient
        if calibration is not None:
            calibration.check_fits(*running, gradient, sha256)
        self.calibration = calibration
        discard_below = None if ood_model is None else 1.0 - ood_model.discard_above
        ood_at = None if ood_model is None else (ood_model.score, fitted_threshold(ood_model, gradient))
        self._thresholds = ThresholdControl(calibration, _judges(calibration, meta, ood_model), discard_below, ood_at)
        self._judge_ood = OodJudge(len(network.labels), ood_model, gradient)
        self._missing: dict[str, str] | None = None
        self._grid_size: Size | None = None
        self._features_tried = False
        self._all_ood_at: tuple[str, float] | None = None
        self._outside = {"segments": OutsideShare(), "OoD segments": OutsideShare()}
        self._perturbed = PerturbedNetwork(network)

    @classmethod
    def load(cls, settings: PipelineSettings | None = None) -> TrustPipeline:
        """Load the network and files that the settings name; may take seconds.

        Raises:
            TrustSegError: a file is missing, corrupt, or does not fit the rest.
        """
        s = settings or PipelineSettings()
        segments.feature_set(s.features)  # report a mistake before the network is loaded
        checked_scores(s.segment_scores)
        parsed_grid(s.grid)
        set_threads(s.threads)
        network = s.load()
        return cls(
            network,
            chosen_meta(s.meta_model, s.model),
            s.features,
            ood_model=chosen_ood_meta(s.ood_meta_model, s.model, network),
            gradient=s.gradient,
            calibration=chosen_calibration(s.calibration, s.model, network, s.gradient),
            segment_scores=s.segment_scores,
            grid=s.grid,
        )

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
        if not find_score(name).single_pass:
            return self._perturbed.unavailable(name, perturbation or ThresholdSettings().perturbation)
        if self._missing is None or (name in FEATURE_SCORES and not self._features_tried):
            self._features_tried = name in FEATURE_SCORES
            names = SCORES if self._features_tried else _WITHOUT_FEATURES
            self._missing = self._scores(self.network.infer(_noise((64, 96)))).missing(names)
        return self._missing.get(name)

    def check(self, thresholds: ThresholdSettings) -> None:
        """Refuse thresholds on a score that the network cannot give, and policies that lack their calibration.

        Changes nothing, and may be called from a thread other than the one that handles frames.

        Raises:
            ScoreUnavailableError: the text names the score and what the network lacks.
            PolicyRefusedError: no calibration of the score, or too few images for the chosen guarantee.
            SettingError: the OoD threshold is the meta model's in the other unit of gradient scores.
        """
        needed = [("OoD segments", thresholds.ood_score), ("pixel flags", thresholds.pixel_score)]
        for what, name in (*needed, *(("segment metrics", name) for name in self.segment_scores)):
            reason = self.unavailable(name, thresholds.perturbation)
            if reason is not None:
                raise ScoreUnavailableError(
                    f"network {self.network.name!r} cannot give the score {name!r} for {what}: {reason}"
                )
        self._thresholds.check(thresholds)
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

    def unwatched(self, score: str) -> str:
        """Why the shift monitor does not watch a pixel score; "" if it does.

        Raises:
            SettingError: no such score.
        """
        return self._thresholds.unwatched(find_score(score).name)

    @property
    def grid_size(self) -> Size | None:
        """(H', W') that the newest frame was judged on; None before the first, and after :meth:`reset`."""
        return self._grid_size

    @property
    def all_ood_at(self) -> tuple[str, float] | None:
        """Score and threshold of the newest frame, if they made all of its pixels OoD segments; else None."""
        return self._all_ood_at

    @property
    def outside(self) -> dict[str, float | None]:
        """Share of the last frames' segments, and OoD segments, outside the range that their meta model was fitted on.

        In words -> 0 to 1; None where nothing was judged since the start or the last :meth:`reset`.
        """
        return {what: seen.share for what, seen in self._outside.items()}

    @property
    def ood_fitted_at(self) -> float | None:
        """Threshold at which the OoD meta model was fitted, in the unit of its score here; None without a model."""
        return None if self.ood_model is None else fitted_threshold(self.ood_model, self.gradient)

    def warm_up(self, size: tuple[int, int], told: Callable[[str], None] = lambda _: None) -> None:
        """Compile and run everything once for images of ``size`` (H, W), so that the first frame is not slow.

        The first time on a machine this may take minutes; ``told`` is called with the name of each step.
        """
        compiled = (("pixel maps", uncertainty.warm_up), ("segments", segments.warm_up), ("thresholds", warm.warm_up))
        for number, (what, compile_all) in enumerate(compiled, 1):
            told(f"compiling kernels, part {number} of 5: {what}")
            compile_all()
        told("running the network for the first time")
        self.network.warm_up(size)
        noise = _noise(size)
        answer = self.network.infer(noise)
        self._missing, self._features_tried = self._scores(answer).missing(_WITHOUT_FEATURES), False
        if answer.logits.device.type == "cpu":
            told("compiling kernels, part 4 of 5: perturbation")
            self._perturbed.warm_up()
            if not self._missing.keys() & set(GRADIENT_SCORES):
                told("compiling kernels, part 5 of 5: gradients")
                uncertainty.warm_up_gradients(self.gradient.p)
            if self.calibration is not None and self.calibration.features is not None:
                warm_up_features()
        told("running made-up frames")
        # flags everywhere, so that every branch has run
        everything = ThresholdSettings.constants(
            unreliable=0.0, unreliable_min_share=0.0, pixel=0.0, ood=0.0, ood_min_size=1
        )
        for _ in range(2):
            self(Frame(noise), everything)
        self.reset()

    def reset(self) -> None:
        """Forget earlier frames (time has jumped): smoothed thresholds and the shift monitor start anew."""
        self._thresholds.reset()
        self._grid_size = self._all_ood_at = None
        self._outside = {what: OutsideShare() for what in self._outside}

    def state(self) -> ThresholdState:
        """State remembered from earlier frames, for :meth:`load_state`."""
        return self._thresholds.state()

    def load_state(self, thresholds: ThresholdSettings, state: ThresholdState) -> None:
        """Continue from the state of a pipeline with the same settings: of another camera, or of an earlier run."""
        self._thresholds.load_state(thresholds, state)

    def __call__(
        self, frame: Frame, thresholds: ThresholdSettings | None = None, wanted: Wanted | None = None
    ) -> TrustFrame:
        """Process one frame: everything ``wanted``, judged by ``thresholds`` (constants or policies).

        Raises:
            UncertaintyError: the network cannot give a score that a threshold is set on.
            PolicyRefusedError: a policy lacks the calibration it needs.
        """
        settings, wanted = thresholds or _DEFAULT, wanted or Wanted()
        limits = self._thresholds.begin(settings, frame.stamp_ns / 1e9)
        clock = LapClock()
        logit_maps = self.infer(frame.image)
        self._grid_size = logit_maps.size
        clock.lap("network")
        maps = uncertainty.uncertainty_maps(logit_maps).host()
        clock.lap("maps")
        perturbed = self._perturbed.scores(frame.image, logit_maps, settings.perturbation)
        scores = self._scores(logit_maps, maps, perturbed)
        needed = dict.fromkeys([*_needed(settings, wanted), *self.segment_scores * wanted.segments])
        beyond = [name for name in needed if name not in SOFTMAX_SCORES]
        for step, further in (("scores", False), ("perturbation", True)):
            names = [name for name in beyond if (name in PERTURBATION_SCORES) == further]
            if names:
                scores.compute(names)
                clock.lap(step)
        if settings.pixel_score in (*SOFTMAX_SCORES, *beyond):
            limits.watch(settings.pixel_score, scores.get(settings.pixel_score).numpy())
        result = GridFrame(maps, scores=scores.computed)
        if wanted.segments:
            table = self.segment_table(maps, logit_maps, scores)
            clock.lap("segments")
            result = replace(result, segments=table, trust=self._judge(table, limits, settings))
            clock.lap("meta")
            if result.trust is not None:
                self._outside["segments"].add(result.trust.outside, len(table))
        if wanted.pixel_flags:
            score = scores.get(settings.pixel_score).numpy()
            flags = limits.pixel_flags(score, maps.classes.numpy(), faulty=maps.faulty_pixels > 0)
            result = replace(result, pixel_flags=flags)
            clock.lap("flags")
        if wanted.ood:
            name, plane = settings.ood_score, scores.get(settings.ood_score)
            threshold = limits.find("ood", plane.numpy(), maps.classes.numpy()).value
            numbers = threshold, settings.ood_min_size, limits.find("ood_meta", None).value
            ood = self._judge_ood(name, plane, *numbers, maps, logit_maps, named=wanted.segments)
            result = replace(result, ood=ood)
            if self._judge_ood.fitted_at(threshold):  # at another one all are outside, which is said of the threshold
                self._outside["OoD segments"].add(ood.outside, int(np.count_nonzero(ood.judged)))
            self._all_ood_at = (name, threshold) if ood.sizes.sum() == ood.ids.size else None
            clock.lap("ood")
        return TrustFrame(frame, result, limits.numbers, limits.shift, clock.laps)

    def infer(self, image: np.ndarray) -> LogitMaps:
        """The network's answer to an image (H, W, 3) uint8, whose maps are to be made on the grid."""
        return uncertainty.on_grid(self.network.infer(image), self.grid)

    def segment_table(
        self,
        maps: UncertaintyMaps,
        logit_maps: LogitMaps,
        scores: FrameScores | None = None,
        *,
        ground_truth: np.ndarray | None = None,
    ) -> SegmentTable:
        """The segments of one frame with the metrics that the meta model needs or the settings name.

        Args:
            maps, logit_maps, ground_truth: as in ``segments.segment_table``.
            scores: scores of the same answer; None = computed here if a metric needs one.

        Raises:
            UncertaintyError: the network cannot give a score that is among the metrics.
        """
        chosen = segments.feature_set(self.features).with_maps(self.segment_scores)
        extra = score_planes(scores or self._scores(logit_maps, maps), self.segment_scores)
        return segments.segment_table(maps, logit_maps, chosen, extra=extra, ground_truth=ground_truth)

    def _scores(
        self, logit_maps: LogitMaps, maps: UncertaintyMaps | None = None, perturbed: PerturbedScores | None = None
    ) -> FrameScores:
        maps = uncertainty.uncertainty_maps(logit_maps) if maps is None else maps
        return FrameScores(logit_maps, maps, self.gradient, _statistics(self.calibration), perturbed)

    def _judge(self, table: SegmentTable, limits: FrameThresholds, settings: ThresholdSettings) -> SegmentTrust | None:
        if self.meta is None:
            return None
        placed = self.meta.placed(table)
        p_wrong, iou = self.meta.predict_placed(placed)
        flags = limits.find("unreliable", p_wrong).flags(p_wrong) & large_enough(
            table.sizes, table.ids.size, settings.min_share
        )
        return SegmentTrust(p_wrong, iou, flags, placed.outside)


def _judges(calibration: Calibration | None, meta: MetaModel | None, ood: OodModel | None) -> dict[str, str]:
    """ "p_wrong", "p_ood" -> fingerprint of the meta model that gives it, in the form that the calibration uses."""
    found = {name: model.fingerprint for name, model in (("p_wrong", meta), ("p_ood", ood)) if model is not None}
    made_with = {} if calibration is None else calibration.summary.get("meta_models", {})
    if meta is not None and made_with.get("p_wrong") == meta.older_fingerprint:
        found["p_wrong"] = meta.older_fingerprint
    return found


def _statistics(calibration: Calibration | None) -> NetworkStatistics:
    return NO_STATISTICS if calibration is None else calibration.statistics


def _needed(settings: ThresholdSettings, wanted: Wanted) -> list[str]:
    """Names of the scores that a frame needs."""
    names = list(wanted.scores)
    names += [settings.pixel_score] * wanted.pixel_flags + [settings.ood_score] * wanted.ood
    return list(dict.fromkeys(names))


def _noise(size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
