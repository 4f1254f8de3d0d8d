from types import SimpleNamespace

import numpy as np
import pytest

from trust_seg_ros.evaluation.errors import TrustStudyError
from trust_seg_ros.evaluation.trust.segment_score import SegmentScore, judged_segments, segment_table
from trust_seg_ros.fitting.calibrate_pass import wrong_segments
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.synthetic import training_sample
from trust_seg_ros.types import Frame


@pytest.fixture(scope="module")
def pipeline():
    return TrustPipeline.load(PipelineSettings(device="cpu", ood_meta_model="none", grid="image"))


def test_a_pixel_has_the_p_wrong_that_the_pipeline_gives_its_segment(pipeline):
    image, truth = training_sample(7, size=(96, 128))
    result, score = pipeline(Frame(image)), SegmentScore(pipeline, pipeline.meta.fingerprint)
    answer = pipeline.network.infer(image)
    plane = score(image, answer, result.maps)
    assert (plane.shape, plane.dtype) == (truth.shape, np.float32)
    assert np.array_equal(plane, np.append(1.0, result.trust.p_wrong).astype(np.float32)[result.segments.ids])
    p, wrong, large = score.segments(image, truth)
    assert large.all()
    expected, judged = wrong_segments(result.segments, truth)
    assert np.array_equal(p, result.trust.p_wrong[judged])
    assert np.array_equal(wrong, expected[judged])
    assert str(score) == f"p_wrong {pipeline.meta.fingerprint}"


def test_the_table_counts_segments():
    p, wrong = np.array([0.95, 0.55, 0.5, 0.2]), np.array([True, False, True, True])
    rows = {row[0]: row[1:] for row in segment_table(p, wrong).rows}
    assert rows[0.5] == (pytest.approx(2 / 3), pytest.approx(2 / 3), 0.75)
    assert rows[0.9] == (pytest.approx(1 / 3), 1.0, 0.25)
    assert rows[0.1] == (1.0, 0.75, 1.0)
    assert "AUROC 33.33 %" in segment_table(p, wrong).note
    assert "AUROC - %" in segment_table(p, np.ones(4, bool)).note


class Images(list):
    def read(self, sample):
        return training_sample(int(sample.name), size=(96, 128))


def test_segments_below_the_smallest_share_are_left_out_and_counted(pipeline):
    images = Images(SimpleNamespace(name=str(seed)) for seed in (7, 8))
    parts = [SegmentScore(pipeline, "", 0.002).segments(*images.read(sample)) for sample in images]
    p, wrong, large = (np.concatenate(part) for part in zip(*parts, strict=True))
    assert 0 < large.sum() < len(large)
    found = judged_segments(SegmentScore(pipeline, "", 0.002), images)
    assert found.rows == segment_table(p[large], wrong[large]).rows
    assert found.note.endswith(
        f" Left out: {(~large).sum()} segments below 0.2 % of the image (--min-share), which are never flagged; "
        f"{(wrong & ~large).sum()} of them are wrong."
    )
    assert "Left out" not in judged_segments(SegmentScore(pipeline, ""), images).note
    with pytest.raises(TrustStudyError, match=r"--min-share 1: all segments .* smaller share"):
        judged_segments(SegmentScore(pipeline, "", 1.0), images)


def test_no_segments_are_refused(pipeline):
    class Nothing:
        def __len__(self):
            return 0

        def __iter__(self):
            return iter(())

    with pytest.raises(TrustStudyError, match="no segment has a labelled pixel"):
        judged_segments(SegmentScore(pipeline, ""), Nothing())
