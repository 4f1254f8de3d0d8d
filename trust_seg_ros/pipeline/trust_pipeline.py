"""The pipeline: image in, TrustFrame out. The only place that puts the steps in order; no ROS here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from trust_seg_ros import segments, uncertainty
from trust_seg_ros.grid import parsed_grid
from trust_seg_ros.meta.features import TIME_SETS
from trust_seg_ros.meta.origin import check_setting
from trust_seg_ros.meta.shipped import chosen_meta, chosen_ood_meta
from trust_seg_ros.pipeline.calm_flags import held
from trust_seg_ros.pipeline.given_scores import noise
from trust_seg_ros.pipeline.loaded import LoadedPipeline
from trust_seg_ros.pipeline.seen import Seen
from trust_seg_ros.pipeline.settings import PipelineSettings
from trust_seg_ros.pipeline.state import PipelineState
from trust_seg_ros.pipeline.warm_up import EVERYTHING, compile_kernels, compile_scores
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.segments.scores import checked_scores
from trust_seg_ros.support.laps import LapClock
from trust_seg_ros.support.torch_threads import set_threads
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.thresholds.adaptation import UNKNOWN, checked_labels
from trust_seg_ros.thresholds.control import FrameThresholds
from trust_seg_ros.thresholds.flags import large_enough
from trust_seg_ros.thresholds.shipped import chosen_calibration
from trust_seg_ros.types import (
    Frame,
    GridFrame,
    LogitMaps,
    SegmentTable,
    SegmentTracks,
    SegmentTrust,
    TrustFrame,
    UncertaintyMaps,
    Wanted,
)
from trust_seg_ros.uncertainty.frame_scores import FrameScores
from trust_seg_ros.uncertainty.score_names import PERTURBATION_SCORES, SOFTMAX_SCORES

_DEFAULT = ThresholdSettings()


class TrustPipeline(LoadedPipeline):
    """Network, maps, segments, meta models and thresholds in order. One caller at a time.

    Example:
        >>> pipeline = TrustPipeline.load()
        >>> result = pipeline(Frame(image))
        >>> wrong = result.segments.class_ids[result.trust.unreliable]
    """

    @classmethod
    def load(
        cls,
        settings: PipelineSettings | None = None,
        load_network: Callable[[PipelineSettings], SegmentationNetwork] = PipelineSettings.load,
    ) -> TrustPipeline:
        """Load the network and files that the settings name; may take seconds.

        Args:
            settings: what to load; None = the defaults.
            load_network: gives the network that the settings name, such as one that other pipelines use, too.

        Raises:
            TrustSegError: a file is missing, corrupt, or does not fit the rest.
        """
        s = settings or PipelineSettings()
        segments.feature_set(TIME_SETS.get(s.features, s.features))  # report a mistake before the network is loaded
        checked_scores(s.segment_scores)
        parsed_grid(s.grid)
        check_setting(s.segments_from)
        set_threads(s.threads)
        network = load_network(s)
        return cls(
            network,
            chosen_meta(s.meta_model, s.model),
            s.features,
            ood_model=chosen_ood_meta(s.ood_meta_model, s.model, network),
            gradient=s.gradient,
            calibration=chosen_calibration(s.calibration, s.model, network, s.gradient),
            segment_scores=s.segment_scores,
            grid=s.grid,
            segments_from=s.segments_from,
            tracking=s.tracking,
            gpu_kernels=s.gpu_kernels != "off",
            cuda_graph=s.cuda_graph == "on",
        )

    def warm_up(self, size: tuple[int, int], told: Callable[[str], None] = lambda _: None) -> None:
        """Compile and run everything once for images of ``size`` (H, W), so that the first frame is not slow.

        The first time on a machine this may take minutes; ``told`` is called with the name of each step.
        """
        told("running the network for the first time")
        self.network.warm_up(size)
        image = noise(size)
        answer = self.network.infer(image)
        judged = uncertainty.on_grid(answer, self.grid)
        self._on_device.prove(image, self.network, judged, lambda maps: self._scores(judged, maps))
        compile_kernels(told, answer.logits.device)
        self._given.learn(answer)
        if answer.logits.device.type == "cpu":
            features = self.calibration is not None and self.calibration.features is not None
            compile_scores(self._perturbed, self.gradient.p if self._given.gradients else None, features, told)
        told("running made-up frames")
        for _ in range(2):
            self(Frame(image), EVERYTHING)
        self.start_anew()

    def reset(self) -> None:
        """Forget earlier frames (time has jumped): smoothed thresholds, the shift monitor and tracks start anew."""
        self._thresholds.reset()
        if self._following is not None:
            self._following.reset()
        self._seen = Seen()

    def start_anew(self) -> None:
        """As before the first frame: :meth:`reset`, and tracks are counted from 1 again, as for another camera."""
        self.reset()
        if self._following is not None:
            self._following.start_anew()

    @property
    def forgot_tracks(self) -> str:
        """Why the newest frame forgot all tracks before it, in words; "" = it did not, or tracking is off."""
        return "" if self._following is None else self._following.forgot

    def feedback(self, stamp_ns: int, labels: np.ndarray) -> str:
        """Labels, or any reference, of an earlier frame, which move the pixel threshold of policy ``adaptive``.

        Call it between frames, from the thread that handles them; the next frame is judged by what it has learned.

        Args:
            stamp_ns: stamp of that frame.
            labels: (h, w) class ids of this network, 255 where nothing is known; of any size.

        Returns:
            What became of it: a key of ``thresholds.adaptation.OUTCOMES``; "unknown" with other policies, too.

        Raises:
            FeedbackError: another shape or type, or an id that is no class.
        """
        labels = checked_labels(labels, len(self.labels))
        adaptation = self._thresholds.adaptation
        return UNKNOWN if adaptation is None else adaptation.feedback(stamp_ns / 1e9, labels)

    def state(self) -> PipelineState:
        """State remembered from earlier frames, for :meth:`load_state`."""
        return PipelineState(self._thresholds.state(), None if self._following is None else self._following.state())

    def load_state(self, thresholds: ThresholdSettings, state: PipelineState) -> None:
        """Continue from the state of a pipeline with the same settings: of another camera, or of an earlier run."""
        self._thresholds.load_state(thresholds, state.thresholds)
        if self._following is not None and state.following is not None:
            self._following.load_state(state.following)

    def __call__(
        self, frame: Frame, thresholds: ThresholdSettings | None = None, wanted: Wanted | None = None
    ) -> TrustFrame:
        """Process one frame: everything ``wanted``, judged by ``thresholds`` (constants or policies).

        Raises:
            UncertaintyError: the network cannot give a score that a threshold is set on.
            PolicyRefusedError: a policy lacks the calibration it needs.
        """
        with self._on_device.stream(self.network):
            return self._processed(frame, None, thresholds, wanted)

    def with_answer(
        self,
        frame: Frame,
        answer: LogitMaps,
        thresholds: ThresholdSettings | None = None,
        wanted: Wanted | None = None,
    ) -> TrustFrame:
        """The same for an image that the network has answered already: ``answer`` is what :meth:`infer` gave for it."""
        return self._processed(frame, answer, thresholds, wanted)

    def _processed(
        self, frame: Frame, answer: LogitMaps | None, thresholds: ThresholdSettings | None, wanted: Wanted | None
    ) -> TrustFrame:
        settings, wanted = thresholds or _DEFAULT, wanted or Wanted()
        limits = self._thresholds.begin(settings, frame.stamp_ns / 1e9)
        if self._following is not None:
            self._following.begin(calm=settings.calm.on)
        clock = LapClock()
        logit_maps = self.infer(frame.image) if answer is None else answer
        self._seen.grid_size = logit_maps.size
        clock.lap("network")
        parts = self._parts(logit_maps, self._perturbed.scores(frame.image, logit_maps, settings.perturbation))
        maps, scores = parts.maps, parts.scores
        clock.lap("maps")
        needed = dict.fromkeys([*_needed(settings, wanted), *self.segment_scores * wanted.segments])
        beyond = [name for name in needed if name not in SOFTMAX_SCORES]
        for step, further in (("scores", False), ("perturbation", True)):
            names = [name for name in beyond if (name in PERTURBATION_SCORES) == further]
            if names:
                scores.compute(names)
                clock.lap(step)
        parts.begin(settings, wanted, limits.plain)
        limits.watch(frame.image, logit_maps, maps)
        clock.lap("watch")
        result = GridFrame(maps, scores=scores.computed)
        if wanted.segments:
            table = parts.table()
            clock.lap("segments")
            if self._following is not None:
                result = replace(result, tracks=self._following.segments(table, frame))
                clock.lap("tracks")
            result = replace(
                result, segments=table, trust=self._judge(table, result.tracks, limits, settings, parts.prediction())
            )
            clock.lap("meta")
            if result.trust is not None:
                self._seen.outside["segments"].add(result.trust.outside, len(table))
        if wanted.pixel_flags:
            result = replace(result, pixel_flags=parts.pixel_flags(settings.pixel_score, limits))
            clock.lap("flags")
        if wanted.ood:
            found, threshold = parts.ood(settings.ood_score, limits, settings.ood_min_size)
            past = None
            if self._following is not None:
                ood_tracks = self._following.ood(found, frame)
                result = replace(result, ood_tracks=ood_tracks)
                past = partial(self._following.ood_with_past, tracks=ood_tracks)
            least = limits.find("ood_meta", None).value
            what = found, settings.ood_score, logit_maps.size, threshold, least, parts.ood_table
            ood = self._judge_ood.judge(*what, named=wanted.segments, past=past)
            if self._following is not None and result.ood_tracks is not None and settings.calm.on:
                ood = self._following.calm_ood(ood, found.kept, result.ood_tracks, least, settings)
            result = replace(result, ood=ood)
            if self._judge_ood.fitted_at(threshold):  # at another one all are outside, which is said of the threshold
                self._seen.outside["OoD segments"].add(ood.outside, int(np.count_nonzero(ood.judged)))
            everywhere = ood.sizes.sum() == math.prod(logit_maps.size)
            self._seen.all_ood_at = (settings.ood_score, threshold) if everywhere else None
            clock.lap("ood")
        return TrustFrame(frame, result, limits.numbers, limits.shift, clock.laps, limits.watched)

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
            UncertaintyError: the network cannot give a score that is among the metrics, or has no queries to make
                segments of.
        """
        return self._measuring.table(maps, logit_maps, scores or self._scores(logit_maps, maps), ground_truth)

    def _judge(
        self,
        table: SegmentTable,
        tracks: SegmentTracks | None,
        limits: FrameThresholds,
        settings: ThresholdSettings,
        predicted: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
    ) -> SegmentTrust | None:
        if self.meta is None:
            return None
        if predicted is None:
            followed = table if tracks is None or self._following is None else self._following.with_past(table, tracks)
            placed = self.meta.placed(followed)
            predicted = *self.meta.predict_placed(placed), placed.outside
        p_wrong, iou, outside = predicted
        if self._following is None or tracks is None or not settings.calm.on:
            flags = limits.find("unreliable", p_wrong).flags(p_wrong) & _large(table, settings)
            return SegmentTrust(p_wrong, iou, flags, outside)
        p, before = self._following.wrong(tracks, p_wrong, settings.calm.tau_s)
        found = limits.find("unreliable", p)
        flags = held(found.flags(p) & _large(table, settings), before, p, p_wrong, found, table, settings)
        self._following.remember(flags)
        return SegmentTrust(p, iou, flags, outside, p_wrong)


def _large(table: SegmentTable, settings: ThresholdSettings) -> np.ndarray:
    return large_enough(table.sizes, table.ids.size, settings.min_share)


def _needed(settings: ThresholdSettings, wanted: Wanted) -> list[str]:
    """Names of the scores that a frame needs."""
    names = list(wanted.scores)
    names += [settings.pixel_score] * wanted.pixel_flags + [settings.ood_score] * wanted.ood
    return list(dict.fromkeys(names))
