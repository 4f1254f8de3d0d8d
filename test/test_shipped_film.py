"""What the demo shows first: the embedded network on the shipped film of a motorway."""

import itertools

import numpy as np
import pytest

from trust_seg_ros import TrustPipeline
from trust_seg_ros.recordings.sources import open_source
from trust_seg_ros.segmentation.compact import SHIPPED

ROAD = (slice(400, 540), slice(150, 700))
VERGE = (slice(230, 430), slice(500, 960))
"""Where the verge lies in every frame, with the slope and the trees behind it."""

pytestmark = pytest.mark.skipif(not SHIPPED.is_file(), reason=f"needs the embedded network, {SHIPPED}")


@pytest.fixture(scope="module")
def judged():
    """A result a second."""
    pipeline = TrustPipeline.load()
    return pipeline.labels.names, [pipeline(frame) for frame in itertools.islice(open_source("motorway"), 6, None, 25)]


def flagged(result):
    """(H, W) bool: on an unreliable segment or an out-of-distribution segment."""
    wrong = np.append(False, result.trust.unreliable)[result.segments.ids]
    return wrong | np.append(False, result.ood.kept)[result.ood.ids]


def test_the_road_is_road_and_trusted(judged):
    names, results = judged
    for result in results:
        assert (result.maps.classes.numpy()[ROAD] == names.index("Road")).mean() > 0.97
        assert flagged(result)[ROAD].mean() < 0.01


def test_the_verge_is_flagged_and_little_else(judged):
    _, results = judged
    shares = np.array([[flagged(r)[VERGE].sum(), flagged(r).sum(), flagged(r).size] for r in results])
    inside, total, size = shares.sum(0)
    assert inside / total > 0.7, "most of what is flagged lies on the verge"
    assert 0.01 < total / size < 0.08
    assert (shares[:, 0] > 0.005 * shares[:, 2]).mean() > 0.7, "in most frames"
