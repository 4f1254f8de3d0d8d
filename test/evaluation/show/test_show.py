"""What ``trust-seg show`` finds out of an image is what the node and the evaluation say of it."""

import numpy as np
import pytest

from trust_seg_ros.drawing.pictures import PictureError
from trust_seg_ros.evaluation.show.show import beyond_fitting, examine
from trust_seg_ros.meta import LinearPart, MetaModel
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.segments import apply_ignore, components, targets
from trust_seg_ros.synthetic import training_sample
from trust_seg_ros.thresholds import ThresholdError, ThresholdSettings
from trust_seg_ros.types import Frame


@pytest.fixture(scope="module")
def pipeline():
    return TrustPipeline.load(PipelineSettings(device="cpu"))


@pytest.fixture(scope="module")
def sample():
    image, labels = training_sample(3, (120, 160))
    truth = labels.copy()
    truth[40:70, 20:60] = 255
    return image, truth


def test_without_ground_truth_it_is_what_the_node_says(pipeline, sample):
    found = examine(pipeline, sample[0], threshold=0.4)
    node = pipeline(Frame(sample[0]), ThresholdSettings.constants(unreliable=0.4))
    assert np.array_equal(found.segments.ids, node.segments.ids)
    assert np.array_equal(found.trust.p_wrong, node.trust.p_wrong)
    assert np.array_equal(found.trust.iou, node.trust.iou)
    assert np.array_equal(found.unreliable, node.trust.unreliable)
    assert np.array_equal(found.classes, node.maps.classes.numpy())
    assert np.array_equal(found.entropy, node.maps.entropy.numpy())
    assert np.array_equal(found.distrust, found.trust.p_wrong)
    assert np.array_equal(found.ood.ids, node.ood.ids)
    assert np.array_equal(found.ood.kept, node.ood.kept)
    assert found.targets is None
    assert found.labels is pipeline.labels


def test_the_network_is_asked_once(pipeline, sample, monkeypatch):
    asked = []
    monkeypatch.setattr(pipeline, "infer", lambda image, infer=pipeline.infer: asked.append(1) or infer(image))
    examine(pipeline, *sample)
    assert len(asked) == 1


def test_with_ground_truth_ignored_pixels_are_in_no_segment(pipeline, sample):
    image, truth = sample
    as_image = TrustPipeline(pipeline.network, pipeline.meta, grid="image")
    found = examine(as_image, image, truth)
    assert np.array_equal(found.segments.ids == 0, truth == 255)
    ids, count = components(apply_ignore(found.classes, truth))
    assert np.array_equal(found.segments.ids, ids)
    assert len(found.segments) == count
    expected = targets(found.segments, truth)
    assert np.array_equal(found.targets.iou_adj, expected.iou_adj)
    assert (found.classes[truth == 255] != 255).any(), "the prediction is shown there, too"


@pytest.mark.parametrize("grid", ["fitted", "100x70"])
def test_on_a_grid_ids_lie_on_the_image_and_targets_come_from_the_grid(pipeline, sample, grid):
    image, truth = sample
    found = examine(TrustPipeline(pipeline.network, pipeline.meta, grid=grid), image, truth)
    assert found.segments.ids.shape == found.classes.shape == found.entropy.shape == truth.shape
    assert (found.segments.ids[truth == 255] == 0).all()
    assert len(found.targets.iou_adj) == len(found.segments) == len(found.trust.p_wrong)
    assert 0.0 < found.targets.iou_adj.mean() < 1.0


def test_without_meta_models_segments_are_sorted_by_entropy(sample):
    bare = TrustPipeline.load(PipelineSettings(device="cpu", meta_model="none"))
    found = examine(bare, *sample)
    assert found.trust is None
    assert np.array_equal(found.distrust, found.segments.column("E"))
    assert not found.unreliable.any()
    assert len(found.unreliable) == len(found.segments)
    assert found.beyond == ()


def test_ground_truth_that_ignores_everything_leaves_no_segment(pipeline, sample):
    found = examine(pipeline, sample[0], np.full((120, 160), 255, np.uint8))
    assert len(found.segments) == len(found.trust.iou) == len(found.targets.iou) == 0


def test_what_does_not_fit_is_refused(pipeline, sample):
    with pytest.raises(PictureError, match="expected one size"):
        examine(pipeline, sample[0], np.zeros((10, 10), np.uint8))
    with pytest.raises(ThresholdError, match=r"1\.5"):
        examine(pipeline, sample[0], threshold=1.5)


def test_metrics_far_from_those_of_fitting_are_named(pipeline, sample):
    segments = examine(pipeline, sample[0]).segments
    size, entropy = segments.column("S"), segments.column("E")

    def model(high):
        ranges = np.array([[size.min(), high], [entropy.min(), entropy.max()]])
        part = LinearPart(np.zeros(2), 0.0)
        return MetaModel(("S", "E"), np.zeros(2), np.ones(2), part, part, "embedded", pipeline.labels.names, ranges)

    assert beyond_fitting(model(size.max()), segments) == ()
    assert beyond_fitting(model(size.max() * 0.6), segments) == ()
    assert beyond_fitting(model(size.max() * 0.4), segments) == ("S",)
