"""The study on real photographs (benchmarks/real_study): its own measures, and the page that it writes into."""

import sys

import numpy as np
import pytest
import torch
from places import ROOT

sys.path.insert(0, str(ROOT / "benchmarks" / "real_study"))

import flicker
import shipped
import sizes
import unknown
from sheets import Sheet, shown

from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.segmentation import LabelSet
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.types import LogitMaps

NONE = 255


def flags(ids: list[list[int]], kinds: list[list[int]]) -> flicker.Flags:
    """Two segments; ids of 0 are not flagged."""
    numbers = np.array(ids, np.int32)
    sizes_of = np.bincount(numbers.ravel(), minlength=3) / numbers.size
    sizes_of[0] = 0.0
    return flicker.Flags(numbers, sizes_of, np.array(kinds, np.uint8))


def test_nothing_vanishes_where_nothing_changes():
    frame = flags([[1, 1, 0, 2]], [[3, 3, 4, 5]])
    assert flicker.step(frame, frame) == (0, 2, 0.75, 0.0, 0.0)


def test_what_vanishes_is_shared_out_between_network_and_judge():
    now = flags([[1, 1, 0, 2]], [[3, 3, 4, 5]])
    after = flags([[1, 0, 0, 0]], [[3, 3, 4, 6]])
    # one pixel of segment 1 stays; the other keeps its class and is flagged no more; segment 2 has another class
    assert flicker.step(now, after) == (1, 2, 0.75, 0.5, 0.25)


def test_a_flagged_segment_of_another_class_does_not_count_as_the_same():
    now, after = flags([[1, 1, 1, 1]], [[3] * 4]), flags([[1, 1, 1, 1]], [[4] * 4])
    assert flicker.step(now, after)[:2] == (1, 1)


def test_small_segments_are_left_out():
    frame = flags([[1, 1, 0, 2]], [[3, 3, 4, 5]])
    assert flicker.step(frame.least(0.5), frame.least(0.5)) == (0, 1, 0.5, 0.0, 0.0)


def test_over_a_film_steps_are_added_up():
    now, after = flags([[1, 1, 0, 2]], [[3, 3, 4, 5]]), flags([[1, 0, 0, 0]], [[3, 3, 4, 6]])
    found = flicker.over([(now, now), (after, after), (after, after)])["P(wrong)", 0.0]
    assert found["flagged per frame"] == 1.5
    assert found["area flagged, %"] == 0.5
    assert found["segments vanished, %"] == pytest.approx(1 / 3)
    assert found["area vanished, %"] == 0.5
    assert found["the judge's part of it, %"] == 0.25


@pytest.mark.parametrize(("scale", "size"), [(1, (360, 480)), (4, (1440, 1920))])
def test_a_picture_at_a_multiple_of_the_size(scale, size):
    image, truth = np.zeros((720, 960, 3), np.uint8), np.zeros((720, 960), np.uint8)
    grown = sizes.scaled(scale)((image, truth))
    assert grown[0].shape == (*size, 3)
    assert grown[1].shape == size


@pytest.mark.parametrize(("ratio", "shape"), [(1.0, (720, 720)), (16 / 9, (720, 1280)), (21 / 9, (549, 1280))])
def test_a_picture_cut_to_another_shape(ratio, shape):
    image, truth = np.zeros((720, 1280, 3), np.uint8), np.zeros((720, 1280), np.uint8)
    assert sizes.cut(ratio)((image, truth))[1].shape == shape


def test_a_number_that_was_another_before_shows_both():
    sheet = Sheet("name", "title", "row", {"a": {"x, %": 0.5, "n": 3.0}, "b": {"n": float("nan")}})
    assert sheet.csv() == 'row,"x, %",n\na,0.5,3\nb,nan,nan\n'
    assert "| a | 40.0 → **50.0** | 3 |" in sheet.markdown({"a": {"x, %": 0.4, "n": 3.0}})
    assert "| b | – | – |" in sheet.markdown()
    assert Sheet.from_json(sheet.to_json()) == sheet


def test_numbers_as_people_write_them():
    assert [shown("x, %", 0.1234), shown("n", 1234.0), shown("n", 0.7)] == ["12.3", "1,234", "0.7"]


class Specks:
    """Unsure of specks that are smaller than a pixel of the image."""

    name, labels = "specks", LabelSet("specks", ("a", "b", "c"))

    def infer(self, image):
        height, width = image.shape[:2]
        logits = torch.randn(3, 4 * height, 4 * width, generator=torch.Generator().manual_seed(0))
        return LogitMaps(3 * logits, (height, width))


def test_a_photograph_smaller_than_the_grid_and_one_with_void(monkeypatch):
    """Segments between its pixels, or in void, have no pixel left: neither false alarms nor finds, and no crash."""
    monkeypatch.setattr(shipped, "thresholds", lambda: ThresholdSettings.constants(ood=0.7, ood_min_size=1))
    pipeline = TrustPipeline(Specks(), grid="network")
    image = np.zeros((24, 32, 3), np.uint8)
    truth = np.zeros((24, 32), np.uint8)
    truth[8:12, 10:20], truth[20:] = 1, NONE
    found = unknown.found_in(pipeline, image, truth, "small")
    gone = found.met.found == 0
    assert len(gone) == len(found.ood.sizes)
    assert gone.any()
    assert not found.judged[gone].any()
    assert found.judged.any()
    large = [~found.ood.too_small]
    with_them, without = (unknown.counted([found], [chosen]) for chosen in (large[0], large[0] & ~gone))
    assert with_them == without
    assert set(unknown.gain([found], large, [found.ood.kept])) == {"false alarms cut, %", "found objects lost, %"}
    assert np.isnan(unknown.order([found])["AUROC, %"]), "nobody judged"
    nothing = unknown.found_in(pipeline, image, np.where(truth == 1, 0, truth).astype(np.uint8))
    assert np.isnan(nothing.covered(large[0])), "without an object no share of it is covered"
