"""Answers kept on disk, and what is counted over them, with a network that knows the truth."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.evaluation.time.passes import OOD, THINGS, TimeCounts, time_counts, total
from trust_seg_ros.evaluation.time.recorded import recorded
from trust_seg_ros.evaluation.time.sequences import drive_sequences
from trust_seg_ros.evaluation.time.tracker_alone import tracker_alone
from trust_seg_ros.evaluation.tracking.measures import TrackingCounts
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.segmentation.labels import load_labels
from trust_seg_ros.segments.tracks import TrackingSettings
from trust_seg_ros.synthetic.settings import CLASS_NAMES
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.types import LogitMaps

(DRIVE,) = drive_sequences("synthetic:seeds=3-3:seconds=0.8:kinds=cow,box:rate=8:size=240x160")
FRAMES = 8


class Oracle:
    """Answers with the truth of the drive: sure of classes, of one mind with none on unknown objects."""

    name = "oracle"
    labels = load_labels("camvid11")

    def __init__(self):
        self.truths = [shot.truth for shot in DRIVE.shots([])]
        self.calls = 0

    def infer(self, image):
        truth = self.truths[self.calls % FRAMES]
        self.calls += 1
        logits = np.zeros((len(CLASS_NAMES), *truth.shape), np.float32)
        for c in range(len(CLASS_NAMES)):
            logits[c][truth == c] = 12.0
        return LogitMaps(torch.from_numpy(logits), truth.shape)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    network, cache = Oracle(), tmp_path_factory.mktemp("kept")
    found = recorded(network, DRIVE, cache)
    assert network.calls == FRAMES
    again = recorded(network, DRIVE, cache)
    assert network.calls == FRAMES  # the second time it is not asked
    assert again.folder == found.folder
    return network, found


def pipeline_of(network, on=True):
    return TrustPipeline(network, tracking=TrackingSettings(on=on))


def test_what_is_kept_is_what_was_answered(kept):
    _, found = kept
    shots = list(DRIVE.shots([]))
    for k, (shot, answer) in enumerate(found):
        assert shot.frame.stamp_ns == shots[k].frame.stamp_ns
        np.testing.assert_array_equal(shot.truth, shots[k].truth)
        np.testing.assert_array_equal(shot.objects, shots[k].objects)
        assert answer.logits.max() == 12.0
    assert len(found.stamps) == FRAMES
    assert {one.kind for one in found.objects} & {"cow", "box"}


def test_another_drive_or_network_is_kept_apart(kept):
    network, found = kept
    other = Oracle()
    other.name = "another"
    assert recorded(other, DRIVE, found.folder.parent).folder != found.folder
    shorter = replace(DRIVE, seconds=0.2)
    assert recorded(network, shorter, found.folder.parent).folder != found.folder
    network.calls = 0


def test_a_stopped_pass_leaves_nothing_that_looks_complete(tmp_path):
    class Stops(Oracle):
        def infer(self, image):
            if self.calls == 3:
                raise KeyboardInterrupt
            return super().infer(image)

    with pytest.raises(KeyboardInterrupt):
        recorded(Stops(), DRIVE, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_knows_the_truth_has_every_object(kept):
    network, found = kept
    counts = time_counts(pipeline_of(network), ThresholdSettings.constants(ood=0.7, ood_min_size=5), found)
    things, ood = counts.tracking[THINGS], counts.tracking[OOD]
    assert things.objects > 5
    assert things.tracking_length == 1.0
    assert things.false == 0
    assert ood.tracking_length == 1.0
    assert ood.false == 0
    assert counts.alarms.false == 0
    assert counts.alarms.known_flagged == 0.0
    assert counts.flicker.toggles == 0  # nothing judges segments here, so none is flagged
    by_class = [counts.tracking[name] for name in CLASS_NAMES if name in counts.tracking]
    assert sum(one.matched for one in by_class) == things.matched
    alone = tracker_alone(found, TrackingSettings(on=True))["things"]
    assert (alone.object_frames, alone.matched, alone.switches) == (
        things.object_frames, things.matched, things.switches,
    )  # fmt: skip


def test_objects_taken_out_are_lost_for_that_long(kept):
    _, found = kept
    whole, out = (tracker_alone(found, TrackingSettings(on=True), gap)["things"] for gap in (0, 3))
    assert out.object_frames == whole.object_frames
    assert out.matched < whole.matched
    assert out.gaps > whole.gaps


def test_counts_of_drives_add_up(kept):
    network, found = kept
    one = time_counts(pipeline_of(network), ThresholdSettings(), found)
    both = total([one, one])
    assert both.tracks == 2 * one.tracks
    assert both.tracking[THINGS].matched == 2 * one.tracking[THINGS].matched
    assert both.alarms.minutes == pytest.approx(2 * one.alarms.minutes)
    assert total([]) == TimeCounts()
    assert TrackingCounts() + TrackingCounts() == TrackingCounts()


def test_settings_without_tracking_are_refused(kept):
    network, found = kept
    with pytest.raises(EvaluationError, match="expected settings with tracking on"):
        time_counts(pipeline_of(network, on=False), ThresholdSettings(), found)
