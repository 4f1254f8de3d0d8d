"""Runs a network over labelled images and over images of unknown objects, and feeds the results to ``Calibrator``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from trust_seg_ros import segments, uncertainty
from trust_seg_ros.datasets.folders import LabelledFolder
from trust_seg_ros.datasets.ood_layouts import OodImages
from trust_seg_ros.datasets.reading import read_or_skip
from trust_seg_ros.fitting.calibrate import DEFAULT_SCORES, FIRST, Calibrator
from trust_seg_ros.fitting.feature_fit import BANK, made_up_features
from trust_seg_ros.fitting.feature_sample import FeatureSample
from trust_seg_ros.fitting.segment_risk import object_probabilities
from trust_seg_ros.grid import AS_IMAGE, Grid, resized
from trust_seg_ros.meta.features import required_set
from trust_seg_ros.meta.model import MetaModel
from trust_seg_ros.meta.ood import OodModel
from trust_seg_ros.meta.ood_judge import OodJudge, fitted_threshold
from trust_seg_ros.meta.segment_scores import check_feature_columns, check_gradient_columns, scores_among
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.segments.scores import score_planes
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.support.natural_order import natural_key
from trust_seg_ros.thresholds.calibration import CalibrationError
from trust_seg_ros.thresholds.frame_statistics import STATISTICS
from trust_seg_ros.types import UNLABELLED, LogitMaps, SegmentTable
from trust_seg_ros.uncertainty import frame_scores
from trust_seg_ros.uncertainty.errors import FeatureStatisticsError
from trust_seg_ros.uncertainty.frame_scores import FrameScores
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.network_statistics import NO_STATISTICS, NetworkStatistics
from trust_seg_ros.uncertainty.score_names import FEATURE_SCORES, IN_LOGARITHMS, scores_that_need
from trust_seg_ros.uncertainty.standardized import ClassStatistics, StatisticsBuilder

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CalibrationPlan:
    """What is computed for every image.

    Attributes:
        network: the network to run.
        scores: names of the pixel scores to make curves of.
        gradient: settings of gradient scores.
        statistics: for the curves of standardized_max_logit and of feature scores; see :func:`with_statistics`.
        meta: meta models of class segments; None = no curves of P(false positive).
        ood_model: meta model of OoD segments; needed for :func:`add_unknown`.
        bank: number of features in a bank that is made.
        allow_absent: make statistics of features although a class has no pixel.
        optional: leave feature scores out where their statistics cannot be made; ``left_out`` says why.
        ood_min_size: OoD segments with fewer pixels do not count, as at run time.
        watched: statistics of frames that are kept for the shift monitor.
        grid: where scores and segments are made, as at run time; ground truth of classes is brought there.
        keep_going: leave out images that cannot be read; they are listed in ``skipped``.
        skipped: name of the image -> why it was left out.
        left_out: names of scores -> why they were left out.
    """

    network: SegmentationNetwork
    scores: tuple[str, ...] = DEFAULT_SCORES
    gradient: GradientSettings = IN_LOGARITHMS
    statistics: NetworkStatistics = NO_STATISTICS
    bank: int = BANK
    allow_absent: bool = False
    optional: bool = False
    meta: MetaModel | None = None
    ood_model: OodModel | None = None
    ood_min_size: int = 50
    grid: Grid = AS_IMAGE
    watched: tuple[str, ...] = tuple(STATISTICS)
    keep_going: bool = False
    skipped: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def calibrator(self) -> Calibrator:
        """An empty ``Calibrator`` for this plan."""
        network = self.network
        return Calibrator(
            network.name,
            network.labels.names,
            self.scores,
            self.gradient,
            self.statistics,
            network_sha256=network_sha256(network),
            watched=self.watched,
        )


def missing_scores(network: SegmentationNetwork, gradient: GradientSettings) -> dict[str, str]:
    """Scores the network cannot give -> reason; runs it twice. Assumes that statistics can be made."""
    q = len(network.labels)
    made_up = NetworkStatistics(ClassStatistics(np.zeros(q), np.ones(q), np.zeros(q)), made_up_features(network))
    return frame_scores.missing_scores(network, gradient, made_up)


def add_labelled(
    calibrator: Calibrator, plan: CalibrationPlan, folders: Sequence[LabelledFolder], progress: Progress | None = None
) -> None:
    """Add every image of some folders, with its segments if there is a meta model.

    Segments are found and judged as in the node, so pixels without ground truth are part of them. A segment is wrong if
    it has labelled pixels and none of them has its class; segments without labelled pixels do not count.

    Args:
        calibrator: receives the images. The first ones are spread over the data set, because they determine the grids
            of scores without a range.
        plan: what is computed.
        folders: labelled with the classes of the network.
        progress: called with (done, total).

    Raises:
        CalibrationError: the numbers of classes differ, or no image could be read.
        DatasetError: an image cannot be read and ``plan.keep_going`` is off.
        TrustSegError: the network fails, or cannot give a score.
    """
    features, scores = None, tuple[str, ...]()
    if plan.meta is not None:
        scores = scores_among(plan.meta.features, len(plan.network.labels))
        check_gradient_columns(plan.meta, scores, plan.gradient)
        check_feature_columns(plan.meta, scores, plan.statistics)
        features = segments.feature_set(required_set(plan.meta.features, len(plan.network.labels), scores=scores))
        features = features.with_maps(scores)

    def add(place: int, image: np.ndarray, answer: LogitMaps, truth: np.ndarray) -> None:
        maps = uncertainty.uncertainty_maps(answer).host()
        if calibrator.add(answer, maps, truth, place, image) and plan.meta is not None and features is not None:
            extra = score_planes(FrameScores(answer, maps, plan.gradient, plan.statistics), scores)
            table = segments.segment_table(maps, answer, features, extra=extra, segments_from=plan.meta.segments_from)
            wrong, judged = wrong_segments(table, truth)
            calibrator.add_segments(plan.meta.predict(table)[0][judged], wrong[judged])

    _run(plan, folders, add, progress)


def with_statistics(
    plan: CalibrationPlan, folders: Sequence[LabelledFolder], progress: Progress | None = None
) -> CalibrationPlan:
    """The plan with what its scores compare with and it does not hold yet: a pass of its own before their curves.

    Statistics of the largest logit for standardized_max_logit; of the features for feature scores. Where features
    cannot be compared and ``plan.optional`` is set, the plan comes back without feature scores.

    Args and errors: as :func:`add_labelled`; SettingError if the largest logit does not vary; FeatureStatisticsError
    if features cannot be compared, or a class has no pixel.
    """
    held, wanted = plan.statistics, set(plan.scores)
    classes = held.classes is None and not wanted.isdisjoint(scores_that_need("calibration"))
    features = held.features is None and not wanted.isdisjoint(FEATURE_SCORES)
    if not classes and not features:
        return plan
    network = plan.network
    builder, sample = StatisticsBuilder(len(network.labels)), FeatureSample(network.labels.names)

    def add(place: int, _: np.ndarray, answer: LogitMaps, truth: np.ndarray) -> None:
        if classes:
            builder.add(answer, uncertainty.uncertainty_maps(answer).classes, truth != UNLABELLED)
        if features:
            sample.add(answer, truth, place)

    _run(plan, folders, add, progress)
    found = NetworkStatistics(builder.statistics() if classes else held.classes, held.features)
    if not features:
        return replace(plan, statistics=found)
    try:
        made = sample.statistics(
            plan.bank, network=network.name, network_sha256=network_sha256(network), allow_absent=plan.allow_absent
        )
    except FeatureStatisticsError as error:
        if not plan.optional:
            raise
        plan.left_out[", ".join(FEATURE_SCORES)] = str(error)
        scores = tuple(name for name in plan.scores if name not in FEATURE_SCORES)
        return replace(plan, scores=scores, statistics=found)
    return replace(plan, statistics=replace(found, features=lambda: made))


def add_unknown(
    calibrator: Calibrator, plan: CalibrationPlan, images: OodImages, progress: Progress | None = None
) -> None:
    """Add the OoD objects of every image of a set, with the largest P(OoD) of the OoD segments that touch each.

    OoD segments are found at the threshold that the meta model was fitted at; thresholds on P(OoD) hold only for them.

    Raises:
        CalibrationError: there is no meta model of OoD segments, it does not judge images of this size, or no image
            could be read.
        DatasetError, TrustSegError: as :func:`add_labelled`.
    """
    model = plan.ood_model
    if model is None:
        raise CalibrationError("OoD objects: expected a meta model of OoD segments, there is none")
    judge, threshold = OodJudge(len(plan.network.labels), model), fitted_threshold(model, plan.gradient)
    seen = 0
    for index in range(len(images)):
        read = read_or_skip(images, index, images.names[index], plan.keep_going, plan.skipped)
        if read is None:
            continue
        image, truth = read
        answer = uncertainty.on_grid(plan.network.infer(image), plan.grid)
        if gap := model.size_gap(answer.size):
            raise CalibrationError(
                f"OoD objects of {images.name}, {images.names[index]}: {gap}, and judges none of this size; give "
                "images of about that size, or fit a model on images like these (trust-seg benchmark --save-meta) and "
                "give it with --ood-meta-model"
            )
        maps = uncertainty.uncertainty_maps(answer).host()
        score = FrameScores(answer, maps, plan.gradient, plan.statistics).get(model.score)
        found = judge(model.score, score, threshold, plan.ood_min_size, 0.0, maps, answer)
        p_ood = np.empty(0) if found.p_ood is None else found.p_ood
        published = resized(found.ids, truth.shape)
        calibrator.add_objects(object_probabilities(published, p_ood, truth == 1))
        seen += 1
        if progress is not None:
            progress(index + 1, len(images))
    if not seen:
        raise CalibrationError(f"{images.name}: none of {len(images)} images could be read")


def wrong_segments(table: SegmentTable, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which segments are false positives (IoU_adj = 0), judged by their labelled pixels.

    Args:
        table: segments of one image.
        truth: (H, W) uint8 class ids, 255 = none.

    Returns:
        wrong: (n,) bool, no labelled pixel of the segment has its class.
        judged: (n,) bool, it has labelled pixels.
    """
    n = len(table)
    labelled = (truth != UNLABELLED) & (table.ids > 0)
    ids = table.ids[labelled]
    right = np.append(np.uint8(UNLABELLED), table.class_ids)[ids] == truth[labelled]
    count = np.bincount(ids, minlength=n + 1)[1:]
    return np.bincount(ids[right], minlength=n + 1)[1:] == 0, count > 0


def _run(
    plan: CalibrationPlan,
    folders: Sequence[LabelledFolder],
    add: Callable[[int, np.ndarray, LogitMaps, np.ndarray], None],
    progress: Progress | None,
) -> None:
    """Call ``add`` with place, image, answer and truth of each image, while the network runs on the next one."""
    for folder in folders:
        if folder.classes != len(plan.network.labels):
            raise CalibrationError(
                f"the data set has {folder.classes} classes, the network {len(plan.network.labels)} "
                f"({', '.join(plan.network.labels.names)}); give the label set of both with --labels"
            )
    # in order of time, as far as names tell: the shift monitor learns from it how alike neighbours are
    samples = [(folder, sample) for folder in folders for sample in sorted(folder, key=lambda s: natural_key(s.name))]
    seen = 0
    with ThreadPoolExecutor(1, thread_name_prefix="calibrate") as worker:
        waiting: Future[None] | None = None
        for done, place in enumerate(spread_first(len(samples), FIRST), start=1):
            folder, sample = samples[place]
            read = read_or_skip(folder, sample, sample.name, plan.keep_going, plan.skipped)
            if read is None:
                continue
            image, truth = read
            answer = uncertainty.on_grid(plan.network.infer(image), plan.grid)
            if waiting is not None:
                waiting.result()
            waiting = worker.submit(add, place, image, answer, resized(truth, answer.size))
            seen += 1
            if progress is not None:
                progress(done, len(samples))
        if waiting is not None:
            waiting.result()
    if not seen:
        reason = next(iter(plan.skipped.values()), "there is none")
        raise CalibrationError(f"none of {len(samples)} images could be read: {reason}")


def spread_first(number: int, first: int) -> list[int]:
    """0 .. number - 1, starting with ``first`` evenly spread ones (or all)."""
    begin = np.unique(np.linspace(0, number - 1, first).round().astype(int)).tolist() if number else []
    return [*begin, *sorted(set(range(number)) - set(begin))]
