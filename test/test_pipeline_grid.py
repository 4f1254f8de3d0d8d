"""The pipeline on its grid: one judgement of a picture at every size, published at the size of the image."""

import itertools
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from places import DATA

from trust_seg_ros.grid import GridError, resized
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.remarks import remarks
from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.types import Frame, UncertaintyMaps, Wanted

THRESHOLDS = ThresholdSettings.constants(unreliable=0.5, pixel=0.5, ood=0.6, ood_min_size=20)
STREETS = sorted((DATA / "street_photos" / "images").rglob("*.jp*g"))[:1]


@pytest.fixture(scope="module")
def shipped():
    return TrustPipeline.load(PipelineSettings(device="cpu"))


def with_grid(pipeline, grid):
    return TrustPipeline(pipeline.network, pipeline.meta, ood_model=pipeline.ood_model, grid=grid)


@pytest.fixture(scope="module")
def scene():
    return SyntheticDrive(DriveSettings(seed=5, size=(360, 480), unknown_rate=8.0)).frame(40).image


def enlarged(image, times):
    return cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)


def photographs(scene):
    """A real photograph where there is one, and a drawn scene."""
    return [cv2.imread(str(path))[..., ::-1] for path in STREETS] + [scene]


def test_a_picture_is_judged_alike_at_every_size(shipped, scene):
    for image in photographs(scene):
        found = []
        for times in (1, 2, 3, 4):
            result = shipped(Frame(enlarged(image, times)), THRESHOLDS)
            assert result.on_grid.size == shipped(Frame(image)).on_grid.size
            assert math.prod(result.on_grid.size) == pytest.approx(480 * 360, rel=0.01)
            trust, ood = result.trust, result.ood
            sizes = result.segments.sizes
            found.append(
                (trust.unreliable.mean(), sizes @ trust.p_wrong / sizes.sum(), ood.sizes[ood.kept].sum() / 172_800)
            )
            assert ood.p_ood is not None
        assert np.ptp(np.array(found), axis=0) == pytest.approx(0.0, abs=0.04), found


def test_what_is_published_has_the_size_of_the_image(shipped, scene):
    image = enlarged(scene, 2.5)
    result = shipped(Frame(image), THRESHOLDS, Wanted(scores=("energy",)))
    size, judged = image.shape[:2], result.on_grid
    assert judged.size == (360, 480)
    for name in ("classes", "entropy", "margin", "variation_ratio"):
        plane = getattr(result.maps, name).numpy()
        assert np.array_equal(plane, resized(getattr(judged.maps, name).numpy(), size))
    assert result.scores["energy"].shape == size
    assert np.array_equal(result.pixel_flags, resized(judged.pixel_flags, size))
    for found, there in ((result.segments, judged.segments), (result.ood, judged.ood)):
        assert np.array_equal(found.ids, resized(there.ids, size))
        assert found.sizes is there.sizes, "sizes are those of the grid"
        for k in np.unique(found.ids)[1:50]:
            rows, columns = np.nonzero(found.ids == k)
            assert found.boxes[k - 1].tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_the_smallest_segment_that_is_flagged_is_the_same_share_of_the_image_at_every_size(shipped, scene):
    share = ThresholdSettings().unreliable_min_share
    pixels = 480 * 360 * share
    limited, unlimited = (replace(THRESHOLDS, unreliable_min_share=s) for s in (share, 0.0))
    for grid, times in itertools.product(("fitted", "image"), (1, 2, 3)):
        frame, pipeline = Frame(enlarged(scene, times)), with_grid(shipped, grid)
        result, every = pipeline(frame, limited), pipeline(frame, unlimited)
        large = result.segments.sizes >= pixels * (times * times if grid == "image" else 1)
        wrong = every.trust.unreliable
        assert (wrong & large).any()
        assert (wrong & ~large).any()
        assert np.array_equal(result.trust.unreliable, wrong & large)
        assert np.array_equal(result.trust.p_wrong, every.trust.p_wrong), "every segment keeps its P(wrong)"
        assert np.array_equal(wrong, every.trust.p_wrong >= 0.5)
        assert result.thresholds["unreliable_min_share"] == share


def test_where_the_grid_is_the_image_nothing_is_copied(shipped, scene):
    result = shipped(Frame(scene), THRESHOLDS)
    assert result.maps is result.on_grid.maps
    assert result.segments is result.on_grid.segments
    assert result.ood is result.on_grid.ood
    assert result.pixel_flags is result.on_grid.pixel_flags
    as_image = with_grid(shipped, "image")(Frame(scene), THRESHOLDS)
    assert np.array_equal(as_image.maps.entropy, result.maps.entropy)
    assert np.array_equal(as_image.trust.p_wrong, result.trust.p_wrong)


def test_faulty_pixels_are_counted_at_either_size(shipped, scene):
    class Broken:
        def __init__(self, network):
            self.name, self.labels, self.network_sha256 = network.name, network.labels, ""
            self._network = network

        def infer(self, image):
            answer = self._network.infer(image)
            logits = answer.logits.clone()
            logits[:, :7] = np.nan
            return replace(answer, logits=logits)

    result = TrustPipeline(Broken(shipped.network), grid="240x180")(Frame(scene))
    for maps in (result.maps, result.on_grid.maps):
        assert isinstance(maps, UncertaintyMaps)
        assert maps.faulty_pixels == (maps.classes == 255).sum() > 0


@pytest.mark.parametrize(
    ("grid", "size"),
    [("image", (60, 100)), ("network", (104, 136)), ("50x200", (200, 50)), ("640x480", (480, 640)), ("1x1", (1, 1)),
     ("area:480x360", (322, 537)), ("fitted", (322, 537))],
)  # fmt: skip
def test_grids_of_every_kind_are_judged_also_larger_than_the_image_and_of_another_shape(shipped, grid, size):
    image = np.random.default_rng(0).integers(0, 256, (60, 100, 3), dtype=np.uint8)
    result = with_grid(shipped, grid)(Frame(image), THRESHOLDS)
    assert result.on_grid.size == size
    assert result.maps.classes.shape == result.segments.ids.shape == result.ood.ids.shape == (60, 100)
    assert len(result.trust.p_wrong) == len(result.segments) > 0


def test_a_text_that_is_no_grid_is_refused_before_the_network_is_loaded():
    for grid in ("0x360", "480x-1", "99999x99999", "big"):
        with pytest.raises(GridError, match="expected"):
            TrustPipeline.load(PipelineSettings(model="no_such:network", grid=grid))


def test_fitted_is_the_grid_of_the_segments_model_and_without_one_that_of_the_ood_model(shipped):
    network, meta, ood = shipped.network, shipped.meta, shipped.ood_model
    other = replace(ood, grid=(90, 120))
    assert str(TrustPipeline(network, meta, ood_model=other).grid) == "area:480x360"
    assert str(TrustPipeline(network, ood_model=other).grid) == "area:120x90"
    assert str(TrustPipeline(network, replace(meta, grid=None), ood_model=other).grid) == "image"
    assert str(TrustPipeline(network).grid) == "image"


def test_models_of_other_grids_are_named(shipped, scene):
    other = replace(shipped.ood_model, grid=(90, 120))
    pipeline = TrustPipeline(shipped.network, shipped.meta, ood_model=other)
    thresholds = THRESHOLDS.with_policy("ood", value=other.threshold)
    assert remarks(pipeline, thresholds) == ()
    found = pipeline(Frame(scene), thresholds).ood
    assert found.p_ood is None
    (gap,) = remarks(pipeline, thresholds)
    assert gap.endswith(
        "segments are made on a grid of 480x360, the OoD meta model was fitted on one of 120x90: set grid to "
        "area:120x90, or fit one on this grid"
    )
    small = with_grid(shipped, "area:120x90")
    small(Frame(scene), thresholds)
    gap, rough = remarks(small, thresholds)
    assert "no P(OoD)" in gap
    assert rough == (
        "P(wrong) is rough: segments are made on a grid of 120x90, the meta model was fitted on one of 480x360; set "
        "grid to fitted"
    )


@pytest.mark.parametrize("score", ["mc_dropout", "input_noise", "gradient_onehot", "max_logit"])
def test_scores_are_made_on_the_grid(shipped, scene, score):
    pipeline = with_grid(shipped, "96x72")
    if pipeline.unavailable(score):
        pytest.skip(pipeline.unavailable(score))
    thresholds = replace(THRESHOLDS, pixel_score=score, perturbation=replace(THRESHOLDS.perturbation, passes=2))
    result = pipeline(Frame(scene), thresholds, Wanted(segments=False, ood=False))
    assert result.on_grid.scores[score].shape == (72, 96)
    assert result.pixel_flags.shape == (360, 480)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (7, 1), (1, 900), (900, 2)])
def test_an_image_of_almost_nothing_is_judged_on_a_grid_larger_than_it(shipped, shape):
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for grid in ("fitted", "64x48", "network"):
        result = with_grid(shipped, grid)(Frame(image), THRESHOLDS)
        height, width = shape
        assert result.on_grid.segments.ids.size > height * width
        for boxes in (result.segments.boxes, result.ood.boxes):
            assert (boxes[:, :2] < boxes[:, 2:]).all(), "none is empty"
            assert (boxes[:, 2:] <= (width, height)).all()
        assert result.maps.entropy.shape == result.segments.ids.shape == shape
        assert np.isfinite(result.trust.p_wrong).all()
