import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from trust_frames import but, frame_of

from trust_seg_ros.messages.fields import HeaderFields, ImageFields, MessageOptions, label_fields
from trust_seg_ros.messages.outputs import OUTPUTS, wanted
from trust_seg_ros.messages.render import MessageError, Rendering, stretched
from trust_seg_ros.node import messages
from trust_seg_ros.types import Frame, OodSegments, SegmentTable, SegmentTrust, UncertaintyMaps, Wanted

HEADER = HeaderFields(12, 345_678_901, "front/optical")
OPTIONS = MessageOptions(("road", "car"), np.array([[128, 64, 128], [0, 0, 142]], np.uint8))


def options(**changes):
    return MessageOptions(**(vars(OPTIONS) | changes))


@pytest.fixture
def frame():
    """Three segments: road left, a car in the middle, road right; the last column is unlabelled."""
    ids = np.repeat(np.array([[1, 1, 2, 2, 3, 0]], np.int32), 4, 0)
    classes = np.repeat(np.array([[0, 0, 1, 1, 0, 255]], np.uint8), 4, 0)
    entropy = np.repeat(np.array([[0, 0.1, 0.5, 0.9, 0.2, 1]], np.float32), 4, 0)
    boxes = np.array([[0, 0, 2, 4], [2, 0, 4, 4], [4, 0, 5, 4]], np.int32)
    table = SegmentTable(
        ids,
        np.array([0, 1, 0], np.uint8),
        boxes,
        np.array([8, 8, 4]),
        np.array([0, 0, 0]),
        ("cprob_0", "cprob_1"),
        np.array([[0.9, 0.1], [0.3, 0.7], [0.8, 0.2]]),
    )
    ood_ids = np.zeros((4, 6), np.int32)
    ood_ids[:, 3] = 1
    ood_ids[:2, 4] = 1
    ood_ids[0, 0] = 2
    flags = np.zeros((4, 6), bool)
    flags[1] = True
    return frame_of(
        Frame(np.full((4, 6, 3), 100, np.uint8), HEADER.stamp_ns, HEADER.frame_id),
        UncertaintyMaps(*(torch.from_numpy(m) for m in (classes, entropy, entropy / 2, entropy / 4)), faulty_pixels=0),
        table,
        SegmentTrust(np.array([0.1, 0.8, 0.3]), np.array([0.9, 0.2, 0.6]), np.array([False, True, False])),
        flags,
        OodSegments(
            ood_ids,
            np.array([[3, 0, 5, 4], [0, 0, 1, 1]], np.int32),
            np.array([6, 1]),
            np.array([0.9, 0.8]),
            np.array([True, False]),
            np.array([0.75, np.nan]),
            np.array([1, 255], np.uint8),
            np.array([0.6, np.nan]),
        ),
        {"gradient_onehot": torch.linspace(-10.0, 13.0, 24).reshape(4, 6)},
    )


def without_ood_model(frame):
    return but(frame, ood=replace(frame.ood, p_ood=None))


def fields(frame, name, **changes):
    return OUTPUTS[name].build(Rendering(frame, options(**changes)))


def test_class_ids_and_component_numbers(frame):
    assert fields(frame, "segmentation").data[0].tolist() == [0, 0, 1, 1, 0, 255]
    ids = fields(frame, "segment_ids")
    assert (ids.encoding, ids.data.dtype, ids.data[0].tolist()) == ("16UC1", np.uint16, [1, 1, 2, 2, 3, 0])


def test_entropy_and_confidence(frame):
    assert fields(frame, "entropy").data[0].tolist() == [0, 26, 128, 230, 51, 255]
    assert fields(frame, "confidence").data[0].tolist() == [255, 229, 127, 25, 204, 0]
    assert fields(frame, "margin").data[0].tolist() == [0, 13, 64, 115, 26, 128]
    floats = fields(frame, "entropy", entropy_encoding="32FC1")
    assert (floats.encoding, floats.step) == ("32FC1", 24)
    np.testing.assert_array_equal(floats.data, frame.maps.entropy.numpy())
    assert fields(frame, "margin", entropy_encoding="32FC1").data.dtype == np.float32


def test_unreliable_is_255_on_segments_and_128_where_only_the_pixel_fires(frame):
    image = fields(frame, "unreliable").data
    assert image[0].tolist() == [0, 0, 255, 255, 0, 0]
    assert image[1].tolist() == [128, 128, 255, 255, 128, 128]


def test_ood_is_255_on_kept_segments_and_128_on_discarded_ones_whatever_the_pixel_threshold_says(frame):
    image = fields(frame, "ood").data
    assert image[0].tolist() == [128, 0, 0, 255, 255, 0]
    assert image[1].tolist() == [0, 0, 0, 255, 255, 0]


def test_detections_follow_the_contract(frame):
    car, right, unknown = fields(frame, "segments")
    assert (car.id, car.centre, car.size) == ("2", (3.0, 2.0), (2.0, 4.0))
    # half of the car lies on the kept OoD segment, whose P(OoD) is 0.75
    assert named(car) == pytest.approx({"car": 0.2, "unreliable": 0.8, "ood": 0.75, "iou": 0.2})
    assert [name for name, _ in car.results] == ["car", "unreliable", "ood", "iou"]
    # the right road is reliable, but half of it is out of distribution
    assert right.id == "3"
    assert named(right) == pytest.approx({"road": 0.7, "unreliable": 0.3, "ood": 0.75, "iou": 0.6})
    # the object itself: its dominant class is right with 1 - P(OoD)
    assert (unknown.id, unknown.centre, unknown.size) == ("4", (4.0, 2.0), (2.0, 4.0))
    assert unknown.results == (("car", 0.25), ("ood", 0.75))


def named(detection):
    return dict(detection.results)


def test_a_segment_on_no_ood_segment_says_nothing_of_ood(frame):
    left, car, *_ = fields(frame, "segments", every_segment=True)
    assert [name for name, _ in left.results] == ["road", "unreliable", "iou"]
    assert "ood" in named(car)


def test_without_an_ood_meta_model_the_score_speaks_in_its_own_unit(frame):
    car, right, unknown = fields(without_ood_model(frame), "segments")
    assert [name for name, _ in car.results] == ["car", "unreliable", "ood_score", "iou"]
    assert named(right)["ood_score"] == pytest.approx(0.9)
    assert unknown.results == (("car", 0.6), ("ood_score", 0.9))


def test_numbers_of_ood_segments_go_on_after_those_of_segments(frame):
    image = fields(frame, "ood_ids")
    assert (image.encoding, image.data.dtype) == ("16UC1", np.uint16)
    assert image.data[0].tolist() == [0, 0, 0, 4, 4, 0], "the discarded one has no number"
    kept_all = but(frame, ood=replace(frame.ood, kept=np.array([True, True])))
    assert fields(kept_all, "ood_ids").data[0].tolist() == [5, 0, 0, 4, 4, 0]
    numbers = [d.id for d in fields(kept_all, "segments", every_segment=True)]
    assert numbers == ["1", "2", "3", "4", "5"]


def test_the_gradient_as_bytes_spans_the_frame_and_as_floats_is_itself(frame):
    image = fields(frame, "gradient")
    assert (image.encoding, image.data.min(), image.data.max()) == ("mono8", 0, 255)
    np.testing.assert_allclose(image.data.ravel(), np.linspace(0, 255, 24), atol=0.51)
    floats = fields(frame, "gradient", entropy_encoding="32FC1")
    np.testing.assert_array_equal(floats.data, frame.scores["gradient_onehot"].numpy())
    with pytest.raises(MessageError, match="gradient_uniform"):
        fields(frame, "gradient", gradient_label="uniform")


def test_faulty_pixels_are_the_top_of_the_range_and_do_not_shift_it():
    values = np.array([[-2.0, 2.0, np.inf, 0.0]], np.float32)
    assert stretched(values).tolist() == [[0, 255, 255, 128]]
    assert stretched(np.full((2, 2), 3.0, np.float32)).tolist() == [[0, 0], [0, 0]]
    assert stretched(np.full((1, 2), np.inf, np.float32)).tolist() == [[255, 255]]


def test_every_segment_on_request(frame):
    assert [d.id for d in fields(frame, "segments", every_segment=True)] == ["1", "2", "3", "4"]


def test_without_a_meta_model_the_softmax_speaks(frame):
    bare = frame_of(frame.frame, frame.maps, frame.segments, None, frame.pixel_flags, None)
    assert fields(bare, "segments") == ()
    everyone = fields(bare, "segments", every_segment=True)
    assert [d.results for d in everyone] == [(("road", 0.9),), (("car", 0.7),), (("road", 0.8),)]
    assert fields(bare, "unreliable").data.max() == 128
    assert fields(bare, "overlay").data.shape == (4, 6, 3)


def test_more_segments_than_16_bits_are_0_in_the_image_and_kept_as_detections():
    n = 70_000
    ids = np.arange(1, n + 1, dtype=np.int32).reshape(100, 700)
    zeros, ones = np.zeros(n), np.ones(n, np.int64)
    table = SegmentTable(ids, np.zeros(n, np.uint8), np.zeros((n, 4), np.int32), ones, ones, (), np.zeros((n, 0)))
    maps = UncertaintyMaps(*[torch.zeros(100, 700)] * 4)
    trust = SegmentTrust(zeros, zeros, np.arange(n) == n - 1)
    big = frame_of(Frame(np.zeros((100, 700, 3), np.uint8)), maps, table, trust)
    image = fields(big, "segment_ids").data
    assert image.max() == 65534
    assert (image.ravel()[65534:] == 0).all()
    assert [d.id for d in fields(big, "segments")] == ["70000"]


def test_pictures_for_people(frame):
    for name in ("overlay", "entropy_color"):
        image = fields(frame, name)
        assert (image.encoding, image.data.shape, image.data.dtype) == ("rgb8", (4, 6, 3), np.uint8)


def test_only_what_the_topics_need_is_wanted():
    assert wanted(["segmentation", "confidence", "entropy", "entropy_color", "margin"]) == Wanted(False, False, False)
    assert wanted(["unreliable"]) == Wanted(True, False, True)
    assert wanted(["ood"]) == Wanted(False, True, False)
    assert wanted(["segments", "segment_ids"]) == wanted(["ood_ids"]) == Wanted(True, True, False)
    assert wanted(["gradient"], "uniform") == Wanted(False, False, False, ("gradient_uniform",))


def test_every_topic_can_be_filled_from_what_it_says_it_needs(frame):
    for name in OUTPUTS:
        needs = wanted([name])
        part = frame_of(
            frame.frame,
            frame.maps,
            frame.segments if needs.segments else None,
            frame.trust if needs.segments else None,
            frame.pixel_flags if needs.pixel_flags else None,
            frame.ood if needs.ood else None,
            {name: frame.scores[name] for name in needs.scores},
        )
        assert fields(part, name) is not None, name
    with pytest.raises(MessageError, match="'segments'"):
        fields(frame_of(frame.frame, frame.maps), "segment_ids")


def test_messages_carry_header_and_fields(frame):
    view = Rendering(frame, OPTIONS)
    image = messages.image_message(OUTPUTS["segment_ids"].build(view), HEADER)
    assert (image.header.stamp.sec, image.header.stamp.nanosec, image.header.frame_id) == (
        12,
        345_678_901,
        HEADER.frame_id,
    )
    assert (image.height, image.width, image.encoding, image.step) == (4, 6, "16UC1", 12)
    assert np.frombuffer(image.data, np.uint16).reshape(4, 6).tolist() == frame.segments.ids.tolist()
    array = messages.detections_message(OUTPUTS["segments"].build(view), HEADER)
    assert array.header == image.header == array.detections[0].header
    assert (array.detections[0].bbox.center.position.x, array.detections[0].bbox.size_y) == (3.0, 4.0)
    assert array.detections[0].results[0].hypothesis.class_id == "car"
    info = messages.labels_message(label_fields(OPTIONS.names, 0.75), HEADER)
    assert [(c.class_id, c.class_name) for c in info.class_map] == [(0, "road"), (1, "car")]
    assert info.threshold == 0.25


@pytest.mark.parametrize(("score", "threshold"), [("entropy", 0.25), ("margin", 0.0), ("variation_ratio", 0.0)])
def test_label_info_holds_a_threshold_on_confidence_only_when_the_pixel_threshold_is_one(score, threshold):
    assert label_fields(OPTIONS.names, 0.75, score).threshold == threshold


def test_a_header_with_more_than_a_second_of_nanoseconds_stays_as_it_came():
    odd = HeaderFields(-5, 4_000_000_000, "é")
    header = messages.header_message(odd)
    assert (header.stamp.sec, header.stamp.nanosec, header.frame_id) == (-5, 4_000_000_000, "é")
    assert odd.stamp_ns == -1_000_000_000
    assert HeaderFields.of(Frame(np.zeros((1, 1, 3), np.uint8), -1, "x")) == HeaderFields(-1, 999_999_999, "x")


def test_the_step_of_one_row_is_that_row():
    one_row = np.zeros((8, 20, 3), np.uint8)[::8, :5]
    assert ImageFields("rgb8", one_row).step == 15
    assert ImageFields("16UC1", np.zeros((7, 9), np.uint16)[:1, :4]).step == 8


def test_a_padded_view_is_sent_without_its_padding():
    padded = np.arange(4 * 8 * 3, dtype=np.uint8).reshape(4, 8, 3)
    tight = np.ascontiguousarray(padded[:, :6])
    msg = messages.image_message(ImageFields("rgb8", tight), HEADER)
    assert (msg.step, msg.data.tobytes()) == (18, padded[:, :6].tobytes())


@pytest.mark.slow
@pytest.mark.skipif("ROS_PYTHON_CHECK_FIELDS" in os.environ, reason="this is the run with field checks")
def test_all_of_this_holds_with_field_checks():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    run = subprocess.run(
        command, env=os.environ | {"ROS_PYTHON_CHECK_FIELDS": "1"}, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stdout[-3000:]
