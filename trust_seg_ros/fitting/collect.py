"""Collects the segments of a labelled folder into the segment table; resumable, same result for any worker count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from trust_seg_ros.datasets.folders import DatasetError, LabelledFolder
from trust_seg_ros.datasets.label_check import check_labels, classes_of
from trust_seg_ros.fitting.collect_pool import Job, Pool, Result
from trust_seg_ros.fitting.collect_time import SequenceJob, TimePlan, follow, jobs_of
from trust_seg_ros.fitting.collect_worker import Collector, one_thread, portable_reason, rows_answer
from trust_seg_ros.fitting.store import SegmentStore
from trust_seg_ros.fitting.store_folder import WAY_OUT, locked
from trust_seg_ros.fitting.store_identity import NetworkIdentity, agree
from trust_seg_ros.fitting.store_writer import PART_IMAGES, SplitWriter
from trust_seg_ros.grid import AS_IMAGE, Grid
from trust_seg_ros.meta.errors import CollectError, StoreError
from trust_seg_ros.segmentation.device import pick_device
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.segments.history.window import is_time_name
from trust_seg_ros.segments.origins import COMPONENTS
from trust_seg_ros.segments.scores import checked_scores
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.support.parallel import cores
from trust_seg_ros.thresholds.calibration import network_statistics

_WORTHWHILE = 16  # images that take a worker about as long as its start


def default_workers(settings: NetworkSettings, images: int) -> int:
    """One worker per core on a CPU, fewer for few images; one on a GPU, because workers would only share it."""
    return min(cores(), max(1, images // _WORTHWHILE)) if pick_device(settings.device).type == "cpu" else 1


def collect(
    settings: NetworkSettings,
    folder: LabelledFolder,
    store: str | Path,
    split: str,
    *,
    workers: int | None = None,
    keep_going: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    data_set: str = "",
    part_images: int = PART_IMAGES,
    scores: Sequence[str] = (),
    grid: Grid = AS_IMAGE,
    calibration: str | Path | None = None,
    segments_from: str = COMPONENTS,
    accept_labels: bool = False,
    time: TimePlan | None = None,
    remark: Callable[[str], None] = lambda text: None,
) -> SegmentStore:
    """Run a network over a labelled folder; write metrics and targets of every segment into a table on disk.

    Pixels that ground truth ignores are removed before components are taken (MetaSeg, Rottmann et al., section III).
    Images that the table already holds are not computed again, except the first, to check that network and data are
    still the same. Images that were left out before are tried again, and stay out only with ``keep_going``. Torch
    runs with one thread in every worker, so the table is the same, byte by byte, for any number of workers and
    interruptions (on a CPU; the rounding of a GPU varies).

    Args:
        settings: the network whose mistakes the meta models will learn.
        folder: images with ground truth.
        store: folder of the table; made, or continued.
        split: name of this part of the table.
        workers: processes that compute; 1 = this one; None = :func:`default_workers`. With more than one, a script
            needs ``if __name__ == "__main__":`` around its main part.
        keep_going: leave out images that cannot be read, and list them in the manifest; else stop at the first.
        progress: called with the number of images done and of all images, at the beginning and after each.
        data_set: name of the data set, for the manifest.
        part_images: images per Parquet file of a new split.
        scores: pixel scores (``segments.scores.SEGMENT_SCORES``) whose means over segments become metrics, too.
        grid: the grid that segments are made on; ground truth is brought to it by nearest neighbour.
        calibration: file with the statistics that feature scores among ``scores`` compare with; None = none.
        segments_from: what the segments are, see ``segments.origins``.
        accept_labels: go on although the labels contradict the network (``datasets.label_check``).
        time: recordings to follow, and how far back their segments are looked at; None = every image alone.
        remark: called with a sentence on labels that fit the network badly.

    Returns:
        The table; ``entries[split].skipped`` names the images left out.

    Raises:
        DatasetError: an image cannot be read and ``keep_going`` is False, or the folder has no images.
        LabelsContradictError: the labels are numbered in another way than the network's classes.
        StoreError: the table is of another network or other data, another run writes into it, or writing fails.
        FeatureError: there is no such score for segments.
        CalibrationError: the calibration cannot be read, or is of another network.
        MaskQueriesNeededError: segments from queries, of a network that has none.
        CollectError: the classes of network and folder differ in number, no image is readable, or a worker died.
        TrustSegError: the network cannot be loaded, or fails.
    """
    if not len(folder):
        raise DatasetError(f"split {split!r} has no images; expected at least one")
    path = Path(store).expanduser()
    if workers is not None and workers < 1:
        raise CollectError(f"{workers} workers; expected at least 1")
    with one_thread(), ExitStack() as stack:
        network = settings.load()
        known = network_statistics(calibration, network.name, network.labels.names, network_sha256(network))
        collector = Collector(network, folder, None, checked_scores(scores), grid, known, segments_from)
        collector = collector if time is None else replace(collector, time=time.window)
        _check_classes(collector)
        names, what = collector.network.labels.names, f"{data_set} {split}".strip()
        if text := check_labels(classes_of(collector.network), folder, names, what, accept_labels):
            remark(text)
        identity = collector.identity()
        stack.enter_context(locked(path))
        rates = () if time is None else time.window.rate_hz
        writer = SplitWriter(path, identity, folder, split, data_set, part_images, rates)
        _check_first(writer, collector, identity)
        _try_again(writer, collector, keep_going)
        left = len(writer.todo)
        workers = default_workers(settings, left) if workers is None else min(workers, left)
        results = _results(stack, collector, settings, writer, workers, time)
        del collector, network  # with several workers this process no longer needs the network
        _take(results, writer, folder, keep_going, progress)
        _check_any(writer, folder)
        return writer.finish()


def _take(
    results: Iterator[Result],
    writer: SplitWriter,
    folder: LabelledFolder,
    keep_going: bool,
    progress: Callable[[int, int], None],
) -> None:
    total = len(folder)
    done = total - len(writer.todo)
    progress(done, total)
    for index, error in results:
        if error is None:
            writer.done(index)
        elif keep_going:
            writer.skip(index, portable_reason(error, folder.samples[index]))
        else:
            raise _stopped(error, done, total)
        done += 1
        progress(done, total)


def _results(
    stack: ExitStack,
    collector: Collector,
    settings: NetworkSettings,
    writer: SplitWriter,
    workers: int,
    time: TimePlan | None,
) -> Iterator[Result]:
    files = {index: writer.image_file(index) for index in writer.todo}
    jobs: list[Job] = list(files.items()) if time is None else list(jobs_of(time, files))
    workers = min(workers, len(jobs))
    if workers > 1:
        threads = max(1, cores() // workers)
        c = collector
        how = c.scores, c.grid, c.statistics, c.segments_from, c.time
        pool = stack.enter_context(Pool(settings, c.folder, workers, threads, *how))
        return pool.results(jobs)
    return _here(collector, jobs)


def _here(collector: Collector, jobs: list[Job]) -> Iterator[Result]:
    for job in jobs:
        if isinstance(job, SequenceJob):
            yield from follow(collector, job)
            continue
        try:
            collector.write(*job)
        except DatasetError as error:
            yield job[0], error
        else:
            yield job[0], None


def _check_classes(collector: Collector) -> None:
    labels = collector.network.labels
    if collector.folder.classes != len(labels):
        raise CollectError(
            f"the data set has {collector.folder.classes} classes, the network {len(labels)} "
            f"({', '.join(labels.names)}); give the label set of both with --labels"
        )


def _check_first(writer: SplitWriter, collector: Collector, identity: NetworkIdentity) -> None:
    """Check that the first stored image, computed again, gives what is stored."""
    stored = writer.stored_rows()
    if stored is None:
        return
    index, then = stored
    now = collector.rows(index)
    classes = len(collector.network.labels)
    if writer.store.identity.repeats(identity):
        frame = [name for name in then.column_names if not is_time_name(name)]  # alone, it has no past
        same = now.select(frame).equals(then.select(frame))
    else:
        same = agree(rows_answer(then, classes), rows_answer(now, classes), exactly=False)
    if not same:
        raise StoreError(
            f"{writer.store.path}: image {collector.folder.samples[index].name!r}, computed again, gives other "
            f"segments than those stored: the network, the data or this program have changed; {WAY_OUT}"
        )


def _try_again(writer: SplitWriter, collector: Collector, keep_going: bool) -> None:
    """Try images that were left out before, as they may be readable now; unchanged ones leave the table as it is."""
    again, total = [], len(collector.folder)
    left_out = writer.left_out()
    for index, before in left_out.items():
        sample, now = collector.folder.samples[index], None
        try:
            collector.read(sample)
        except DatasetError as error:
            if not keep_going:
                raise _stopped(error, total - len(writer.todo) - len(left_out), total) from error
            now = portable_reason(error, sample)
        if now != before:
            again.append(index)
    writer.reopen(again)


def _check_any(writer: SplitWriter, folder: LabelledFolder) -> None:
    skipped = writer.skipped
    if len(skipped) == len(folder):
        name, reason = next(iter(skipped.items()))
        writer.drop()
        raise CollectError(f"none of the {len(folder)} images could be read; {name}: {reason}")


def _stopped(error: DatasetError, done: int, total: int) -> DatasetError:
    return DatasetError(
        f"{error}. {done} of {total} images are done and kept; repair or remove it and start again, or leave out such "
        "images with --keep-going"
    )
