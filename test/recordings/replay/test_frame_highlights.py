"""Pictures, objects and the worst frames."""

import math
import pickle
from dataclasses import replace

import cv2
import numpy as np
import pytest
from drive_frames import drive_results, made_result
from hypothesis import given, settings
from hypothesis import strategies as st
from trust_frames import but

from trust_seg_ros.drawing import pictures
from trust_seg_ros.messages.fields import MessageOptions
from trust_seg_ros.messages.render import Rendering, overlay
from trust_seg_ros.recordings.replay.frame_highlights import WorstFrames, badness, frame_picture, ood_crop, ood_objects
from trust_seg_ros.recordings.replay.frame_numbers import frame_numbers
from trust_seg_ros.recordings.replay.records import FramePicture
from trust_seg_ros.types import OodSegments

PALETTE = np.random.default_rng(0).integers(0, 256, (11, 3), dtype=np.uint8)


def decoded(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def rendering(result, names):
    return Rendering(result, MessageOptions(names, PALETTE))


def test_pictures_show_the_image_the_overlay_and_the_entropy():
    names, results = drive_results()
    view = rendering(results[0], names)
    picture = frame_picture(view, "/camera", 9)
    assert (picture.camera, picture.recorded_ns) == ("/camera", 9)
    assert np.abs(decoded(picture.image).astype(int) - results[0].frame.image).mean() < 10
    shown, heat = decoded(picture.overlay), decoded(picture.entropy)
    assert np.abs(shown.astype(int) - overlay(view).data).mean() < 10
    assert np.abs(heat.astype(int) - pictures.colour_map(results[0].maps.entropy.numpy())).mean() < 10
    assert frame_picture(rendering(results[0], names), "/camera", 9) == picture


@pytest.mark.parametrize(("width", "shape"), [(480, (120, 160, 3)), (80, (60, 80, 3)), (1, (1, 1, 3))])
def test_pictures_are_made_smaller_only(width, shape):
    names, results = drive_results()
    picture = frame_picture(rendering(results[0], names), "/camera", 9, width)
    assert {decoded(jpeg).shape for jpeg in (picture.image, picture.overlay, picture.entropy)} == {shape}


def test_objects_are_the_kept_segments():
    names, results = drive_results()
    result = max(results, key=lambda r: int(r.ood.kept.sum()))
    found = ood_objects(result, names, "/camera", 5_500_000_000, 2_000_000_000)
    kept = np.flatnonzero(result.ood.kept)
    assert [o.size for o in found] == result.ood.sizes[kept].tolist()
    assert [list(o.box) for o in found] == result.ood.boxes[kept].tolist()
    assert [o.p_ood for o in found] == result.ood.p_ood[kept].tolist()
    assert [o.score for o in found] == result.ood.score[kept].tolist()
    assert [o.class_name for o in found] == [names[c] for c in result.ood.class_ids[kept]]
    assert {(o.camera, o.recorded_ns, o.stamp_ns, o.offset_s) for o in found} == {
        ("/camera", 5_500_000_000, result.frame.stamp_ns, 3.5)
    }
    assert all(max(decoded(o.crop).shape) == 128 for o in found)
    bare = ood_objects(result, names, "/camera", 5_500_000_000, 2_000_000_000, with_crop=False)
    assert bare == [replace(o, crop=b"") for o in found]
    assert ood_objects(but(result, ood=None), names, "/camera", 0, 0) == []


def test_without_a_model_there_is_no_probability_and_no_class():
    result = made_result(np.arange(12, dtype=np.uint8).reshape(3, 4) % 11)
    result = but(result, ood=replace(result.ood, kept=np.ones(len(result.ood.sizes), bool)))
    found = ood_objects(result, [f"c{i}" for i in range(11)], "/camera", 0, 0, with_crop=False)
    assert len(found) == len(result.ood.sizes) > 0
    assert all(math.isnan(o.p_ood) and o.class_name == "" for o in found)


def one_segment(shape, box):
    ids = np.zeros(shape, np.int32)
    left, top, right, bottom = box
    ids[top:bottom, left:right] = 1
    size = np.array([(right - left) * (bottom - top)])
    return OodSegments(ids, np.array([box], np.int32), size, np.ones(1), np.ones(1, bool))


@pytest.mark.parametrize(
    "box", [(50, 40, 70, 52), (0, 0, 4, 3), (150, 100, 160, 120), (0, 0, 160, 120), (0, 60, 160, 62)]
)
def test_a_crop_shows_the_object_outlined_and_untouched_inside(box):
    shape = (120, 160)
    image = np.full((*shape, 3), 200, np.uint8)
    ood = one_segment(shape, box)
    image[ood.ids == 1] = (255, 0, 0)
    crop = ood_crop(image, ood, 0, 128)
    assert max(crop.shape) == 128
    if max(box[2] - box[0], box[3] - box[1]) < 40:
        assert crop.shape == (128, 128, 3)
    red = (crop[..., 0] > 240) & (crop[..., 1] < 100)
    assert red.any()
    outlined = (crop == pictures.UNKNOWN).all(axis=2)
    if box != (0, 0, 160, 120):
        assert outlined.any()
        near = cv2.dilate(red.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        assert near[outlined].all()
    assert np.array_equal(crop, ood_crop(image, ood, 0, 128))


def test_the_image_of_a_message_is_cut_as_it_lies_and_left_alone():
    rows = np.random.default_rng(0).integers(0, 256, (120, 500), dtype=np.uint8)
    view = np.ndarray((120, 160, 3), np.uint8, rows, strides=(500, 3, 1))
    rows.flags.writeable = view.flags.writeable = False
    ood = one_segment((120, 160), (10, 10, 90, 60))
    assert np.array_equal(ood_crop(view, ood, 0, 128), ood_crop(view.copy(), ood, 0, 128))
    assert np.array_equal(view, rows[:, :480].reshape(120, 160, 3))


def test_badness_is_the_area_that_is_not_to_be_trusted():
    full = {"flagged_pixels": 0.25, "unreliable_pixels": 0.5, "ood_pixels": 0.125}
    assert badness(full) == 0.875
    assert badness(full | {"ood_pixels": math.nan}) == 0.75
    assert badness({}) == 0.0
    result = drive_results()[1][0]
    flags = frame_numbers(result, None)
    assert 0 < badness(flags) < 3
    assert badness(frame_numbers(but(result, trust=None, ood=None), None)) == result.pixel_flags.mean()


def picture(camera, at):
    return FramePicture(camera, at, b"", b"", b"")


def plain_choice(frames, count, apart_ns):
    """The rule as it is written down, over all frames."""
    slots = {}
    for bad, camera, at in frames:
        if bad > 0:
            slots.setdefault(at // apart_ns, []).append((-bad, at, camera))
    taken = []
    for minus, at, camera in sorted(min(slot) for slot in slots.values()):
        if len(taken) < count and all(abs(at - other) >= apart_ns for _, _, other in taken):
            taken.append((-minus, camera, at))
    return taken


def kept(worst):
    return [(bad, p.camera, p.recorded_ns) for bad, p in worst.chosen()]


FRAMES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.4, math.nan]), st.sampled_from("ab"), st.integers(0, 60)),
    max_size=60,
    unique_by=lambda frame: frame[1:],
)


@settings(max_examples=300, deadline=None)
@given(FRAMES, st.integers(0, 4), st.integers(1, 9), st.lists(st.integers(0, 3), min_size=60, max_size=60))
def test_the_worst_of_all_are_the_worst_of_the_worst_of_pieces(frames, count, apart_ns, piece_of):
    pieces = [WorstFrames(count, apart_ns / 1e9) for _ in range(4)]
    for (bad, camera, at), piece in zip(frames, piece_of, strict=False):
        pieces[piece].add(bad, picture(camera, at))
    total = WorstFrames(count, apart_ns / 1e9)
    total.merge(pickle.loads(pickle.dumps(pieces[::-1])))  # pieces are chosen in other processes
    expected = plain_choice(frames, count, apart_ns)
    assert kept(total) == expected
    handed_on = WorstFrames(count, apart_ns / 1e9)
    for bad, seen in (one for piece in pieces for one in piece.kept()):
        handed_on.add(bad, seen)
    assert kept(handed_on) == expected
    at_once = WorstFrames(count, apart_ns / 1e9)
    for bad, camera, at in frames:
        at_once.add(bad, picture(camera, at))
    assert kept(at_once) == expected
    times = [at for _, _, at in expected]
    assert all(abs(a - b) >= apart_ns for i, a in enumerate(times) for b in times[:i])


def test_a_picture_is_wanted_only_where_it_is_kept():
    worst = WorstFrames(1, apart_s=1.0)
    for second, bad in enumerate((0.5, 0.2, 0.3)):
        assert worst.wants(bad, "/a", second * 10**9)
        worst.add(bad, picture("/a", second * 10**9))
    assert not worst.wants(0.1, "/a", 9 * 10**9)
    assert worst.wants(0.25, "/a", 9 * 10**9)
    assert not worst.wants(0.5, "/a", 10)
    assert worst.wants(0.6, "/a", 10)
    assert not worst.wants(0.0, "/b", 10)
    assert kept(worst) == [(0.5, "/a", 0)]
