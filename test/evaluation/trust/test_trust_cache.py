"""Counts kept in files: used while nothing has changed, made anew when something has."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from remembering import Remembering

from trust_seg_ros.datasets.corruptions import Corruption
from trust_seg_ros.datasets.corruptions.folder import corrupted
from trust_seg_ros.datasets.folders import LabelledFolder, Sample
from trust_seg_ros.evaluation.errors import TrustStudyError
from trust_seg_ros.evaluation.trust.cache import CountsCache
from trust_seg_ros.evaluation.trust.passes import Look
from trust_seg_ros.evaluation.trust.policy_words import parse_policies
from trust_seg_ros.segmentation import load_network
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings


class Watched(LabelledFolder):
    """Counts how often an image is read."""

    reads = 0

    def read(self, sample):
        Watched.reads += 1
        return super().read(sample)


@pytest.fixture
def images(tmp_path):
    samples = []
    for k in range(3):
        rng = np.random.default_rng(k)
        paths = tmp_path / f"a_{k}.png", tmp_path / f"a_{k}_label.png"
        cv2.imwrite(str(paths[0]), rng.integers(0, 256, (32, 48, 3), dtype=np.uint8))
        cv2.imwrite(str(paths[1]), rng.integers(0, 11, (32, 48), dtype=np.uint8))
        samples.append(Sample(*paths, "a"))
    return Watched(tuple(samples), 11)


@pytest.fixture(scope="module")
def look():
    network = Remembering(load_network("embedded", device="cpu"))
    return Look(network, ("entropy", "energy"), parse_policies(["otsu", "fixed:0.5", "conformal:0.2"], ("entropy",)))


def read(folder, look, images):
    """Counts, and how many images were read for them."""
    before, cache = Watched.reads, CountsCache(folder, look)
    counts = cache.counts(images, "test", cache.grids(images))
    return counts, Watched.reads - before


def equal(one, other):
    assert (one.images, one.drives, one.classes) == (other.images, other.drives, other.classes)
    assert one.reliability.ece == other.reliability.ece
    for score, found in one.scores.items():
        again = other.scores[score]
        for name in ("edges", "right", "wrong", "groups", "means"):
            assert np.array_equal(getattr(found, name), getattr(again, name)), name
        assert list(found.flagged) == list(again.flagged)
        for policy, flagged in found.flagged.items():
            assert np.array_equal(flagged.pixels, again.flagged[policy].pixels)
            assert np.array_equal(flagged.groups, again.flagged[policy].groups)
            assert np.array_equal(flagged.thresholds, again.flagged[policy].thresholds)


@pytest.mark.slow
def test_counts_come_back_as_they_were(tmp_path, look, images):
    first, reads = read(tmp_path / "cache", look, images)
    assert reads == 6  # for the bins, then for the counts
    again, reads = read(tmp_path / "cache", look, images)
    assert reads == 0
    equal(first, again)
    plain, reads = read(None, look, images)
    assert reads == 6
    equal(first, plain)


@pytest.mark.slow
def test_what_changes_the_counts_makes_them_anew(tmp_path, look, images):
    folder = tmp_path / "cache"
    read(folder, look, images)
    other = replace(look, policies=parse_policies(["otsu", "conformal:0.1"], ("entropy",)))
    assert read(folder, other, images)[1] == 6  # a policy that is counted in the pass
    calibrated = replace(look, policies=(*look.policies, *parse_policies(["conformal:0.3"], ("entropy",))))
    assert read(folder, calibrated, images)[1] == 0  # one that is not
    assert read(folder, replace(look, scores=("entropy",)), images)[1] == 6
    assert read(folder, replace(look, gradient=GradientSettings(1.0, scale="log")), images)[1] == 6
    cv2.imwrite(str(images.samples[0].labels), np.zeros((32, 48), np.uint8))
    counts, reads = read(folder, look, images)
    assert reads == 6
    assert counts.totals[0].sum() == 32 * 48


def test_another_network_of_the_same_name_makes_them_anew(tmp_path, look, images):
    read(tmp_path / "cache", look, images)
    network = load_network("embedded", device="cpu", input_size=(32, 48))
    network.name = look.network.name
    assert read(tmp_path / "cache", replace(look, network=network), images)[1] == 6


def test_every_corruption_has_its_own(tmp_path, look, images):
    cache = CountsCache(tmp_path / "cache", look)
    grids = cache.grids(images)
    means = [
        cache.counts(corrupted(images, wish), str(wish), grids).scores["entropy"].means
        for wish in (Corruption("night", 2), Corruption("night", 5), Corruption("night", 5, 1), Corruption("night", 2))
    ]
    assert np.array_equal(means[0], means[3])
    assert not any(np.array_equal(means[0], other) for other in means[1:3])
    assert len(list((tmp_path / "cache").glob("counts-*"))) == 3


def test_damaged_files_are_made_anew(tmp_path, look, images):
    first, _ = read(tmp_path / "cache", look, images)
    for path in (tmp_path / "cache").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    again, reads = read(tmp_path / "cache", look, images)
    assert reads == 6
    equal(first, again)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path, look, images):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrustStudyError, match="cannot be written"):
        read(tmp_path / "file", look, images)
