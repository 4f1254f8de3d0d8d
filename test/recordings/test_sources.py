import itertools
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from places import CAMVID, DATA, needs_camvid

from trust_seg_ros.bags.errors import NothingThere, SourceError, UnreadableFrame
from trust_seg_ros.recordings.files import CameraSource
from trust_seg_ros.recordings.section import Section
from trust_seg_ros.recordings.sources import FrameSource, Looped, check_speed, open_source

DRIVE = DATA / "video" / "solidWhiteRight.mp4"


def write_images(folder, names, height=12, width=16):
    folder.mkdir(exist_ok=True)
    for index, name in enumerate(names):
        image = np.full((height, width, 3), (0, 10, index), np.uint8)
        assert cv2.imwrite(str(folder / name), image[..., ::-1])
    return folder


def test_folder_is_played_in_natural_order_as_rgb(tmp_path):
    folder = write_images(tmp_path / "frames", ["f2.png", "f10.png", "f1.png"])
    (folder / "notes.txt").write_text("not an image")
    frames = list(open_source(folder, rate=5))
    assert [tuple(f.image[0, 0]) for f in frames] == [(0, 10, 2), (0, 10, 0), (0, 10, 1)]
    assert [f.stamp_ns for f in frames] == [0, 200_000_000, 400_000_000]


def test_numbers_in_names_keep_the_gaps_of_the_recording(tmp_path):
    folder = write_images(tmp_path / "f", ["a_000030.png", "a_000090.png", "b_000010.png", "b_000040.png"])
    stamps = [f.stamp_ns for f in open_source(folder, number_rate=30, rate=10)]
    assert stamps == [0, 2_000_000_000, 2_100_000_000, 3_100_000_000]


def test_size_and_loop_with_increasing_stamps(tmp_path):
    folder = write_images(tmp_path / "f", ["1.png", "2.png"])
    source = open_source(folder, size=(6, 8), rate=10, loop=True)
    frames = list(itertools.islice(source, 5))
    assert [f.image.shape for f in frames] == [(6, 8, 3)] * 5
    assert [f.stamp_ns for f in frames] == [i * 100_000_000 for i in range(5)]
    assert isinstance(source, FrameSource)
    assert "looped" in source.description


def test_iterating_twice_starts_again(tmp_path):
    source = open_source(write_images(tmp_path / "f", ["1.png", "2.png"]))
    assert len(list(source)) == len(list(source)) == 2


def test_one_image_is_a_source(tmp_path):
    folder = write_images(tmp_path / "f", ["1.png"])
    assert len(list(open_source(folder / "1.png"))) == 1


def test_unreadable_file_is_named(tmp_path):
    folder = write_images(tmp_path / "f", ["1.png"])
    (folder / "2.jpg").write_bytes(b"no jpeg")
    with pytest.raises(UnreadableFrame, match=r"2\.jpg"):
        list(open_source(folder))


def test_missing_path_lists_the_kinds_of_source(tmp_path):
    with pytest.raises(NothingThere, match=r"nowhere does not exist.*video file"):
        open_source(tmp_path / "nowhere")


def test_empty_folder_names_the_folders_below(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(NothingThere, match=r"holds no images.*its folders are images"):
        open_source(tmp_path)


def test_a_file_that_is_neither_video_nor_image(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(SourceError, match="not a video"):
        open_source(tmp_path / "notes.txt")


@pytest.mark.parametrize(
    ("options", "words"), [({"size": (0, 5)}, "5x0"), ({"rate": 0.0}, "rate is 0"), ({"number_rate": -1.0}, "-1")]
)
def test_values_out_of_range_are_named(options, words):
    with pytest.raises(SourceError, match=words):
        open_source("synthetic", **options)


def test_missing_camera_lists_the_cameras_there_are():
    with pytest.raises(NothingThere, match="no camera /dev/video97"):
        open_source("/dev/video97")


def test_a_camera_that_cannot_be_opened_says_what_to_look_at():
    with pytest.raises(SourceError, match="group video"):
        next(iter(CameraSource(Path("/dev/video97"))))


def test_looping_over_nothing_ends_with_an_error():
    class Nothing:
        rate, live, description = 10.0, False, "nothing"

        def __iter__(self):
            return iter(())

    with pytest.raises(NothingThere, match="no frames"):
        next(iter(Looped(Nothing())))


def write_video(path, count=6):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 20, (64, 48))
    for index in range(count):
        writer.write(np.full((48, 64, 3), (0, 0, 40 * index), np.uint8))
    writer.release()
    return path


def stamps_ms(source, count=None):
    return [frame.stamp_ns / 1e6 for frame in itertools.islice(source, count)]


def test_a_section_of_a_folder_keeps_its_stamps_and_is_looped_alone(tmp_path):
    folder = write_images(tmp_path / "f", [f"{i}.png" for i in range(10)])
    section = Section(0.3, 0.3)
    assert stamps_ms(open_source(folder, section=section)) == [300, 400, 500]
    assert stamps_ms(open_source(folder, section=Section(0.75))) == [800, 900]
    assert stamps_ms(open_source(folder, section=section, loop=True), 7) == [300, 400, 500, 600, 700, 800, 900]
    jumping = list(itertools.islice(open_source(folder, section=section, loop=True, jump=True), 7))
    assert [f.stamp_ns / 1e6 for f in jumping] == [300, 400, 500, 300, 400, 500, 300]
    assert [f.image[0, 0, 2] for f in jumping] == [3, 4, 5, 3, 4, 5, 3]


def test_a_section_is_cut_before_the_rate_is_evened_out(tmp_path):
    folder = write_images(tmp_path / "f", ["f_00.png", "f_30.png", "f_60.png", "f_90.png"])
    source = open_source(write_video(tmp_path / "clip.mp4"), section=Section(0.1, 0.15), rate=10)
    assert stamps_ms(source) == [0, 100, 200]
    assert stamps_ms(open_source(folder, number_rate=30, section=Section(1, 2))) == [1000, 2000]


@pytest.mark.parametrize("rate", [3, 7, 29.97, 30, 60])
def test_sections_end_to_end_are_the_whole(tmp_path, rate):
    """No frame is lost or doubled at a seam, whatever the rate rounds to."""
    folder = write_images(tmp_path / "f", [f"{i}.png" for i in range(9)])
    seam = 3 / rate
    first, second = Section(0, seam), Section(seam)
    whole = stamps_ms(open_source(folder, rate=rate))
    parts = [stamps_ms(open_source(folder, rate=rate, section=part)) for part in (first, second)]
    assert [len(part) for part in parts] == [3, 6]
    assert parts[0] + parts[1] == whole


def test_a_section_of_a_video_is_exact(tmp_path):
    path = write_video(tmp_path / "clip.mp4")
    whole = {frame.stamp_ns: frame.image for frame in open_source(path)}
    part = list(open_source(path, section=Section(0.1, 0.1)))
    assert [f.stamp_ns for f in part] == [100_000_000, 150_000_000]
    assert all(np.array_equal(f.image, whole[f.stamp_ns]) for f in part)


def test_a_start_beyond_the_end_names_the_length(tmp_path):
    folder = write_images(tmp_path / "f", ["0.png", "1.png", "2.png"])
    with pytest.raises(SourceError, match=r"the start is 5 s, but .*clip\.mp4 is 0\.25 s long"):
        open_source(write_video(tmp_path / "clip.mp4"), section=Section(5))
    with pytest.raises(SourceError, match=r"the start is 0\.3 s, but .* is 0\.2 s long"):
        open_source(folder, section=Section(0.3))
    with pytest.raises(NothingThere, match=r"no frame from 0\.11 s to 0\.16 s"):
        open_source(folder, section=Section(0.11, 0.05))


def test_a_video_that_does_not_state_its_length_tells_it_once_read(tmp_path):
    source = replace(open_source(write_video(tmp_path / "clip.mp4")), frames=0, section=Section(5))
    with pytest.raises(SourceError, match=r"can be decoded of .*clip\.mp4 is 0\.25 s long"):
        list(source)


@pytest.mark.parametrize(
    ("start", "duration", "words"),
    [(-1.0, None, "start is -1"), (math.nan, None, "start is nan"), (0.0, 0.0, "duration is 0"), (0.0, -2.0, "-2")],
)
def test_sections_that_are_none(start, duration, words):
    with pytest.raises(SourceError, match=words):
        Section(start, duration)


def test_what_has_no_end_has_no_section():
    with pytest.raises(SourceError, match="synthetic has neither beginning nor end"):
        open_source("synthetic", section=Section(1))


@pytest.mark.parametrize("speed", [0.0, -1.0, math.inf, math.nan])
def test_speeds_out_of_range(speed):
    with pytest.raises(SourceError, match=r"the speed is .*above 0"):
        check_speed(speed, open_source("synthetic"))


def test_a_camera_has_no_speed():
    camera = CameraSource(Path("/dev/video97"))
    check_speed(1.0, camera)
    with pytest.raises(SourceError, match="camera /dev/video97 sets its own pace"):
        check_speed(2.0, camera)


def test_video_frames_and_stamps(tmp_path):
    path = write_video(tmp_path / "clip.mp4")
    frames = list(open_source(path))
    assert [f.stamp_ns for f in frames] == [i * 50_000_000 for i in range(6)]
    assert frames[5].image.shape == (48, 64, 3)
    red, _, blue = frames[5].image[20, 20]
    assert red > 150 > 60 > blue
    assert [f.stamp_ns for f in open_source(path, rate=10)] == [i * 100_000_000 for i in range(6)]


def test_video_without_frames(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"\0" * 64)
    with pytest.raises(SourceError, match=r"clip\.mp4"):
        list(open_source(path))


def test_the_shipped_film_is_of_a_street_and_can_be_cut():
    source = open_source("motorway", section=Section(1, 0.5))
    frames = list(source)
    assert [f.stamp_ns for f in frames] == [round(1e9 + k * 8e7) for k in range(1, 7)] or len(frames) in (6, 7)
    assert frames[0].image.shape == (540, 960, 3)
    sky, road = frames[0].image[50:200, 100:600].mean((0, 1)), frames[0].image[450:, 300:600].mean((0, 1))
    assert sky[2] > sky[0] + 20, "the sky is blue"
    assert np.ptp(road) < 30, "the road is grey"


def test_synthetic_drive_is_seeded_and_sized():
    pytest.importorskip("trust_seg_ros.synthetic", reason="the synthetic drive is not there yet")
    first = list(itertools.islice(open_source("synthetic", size=(96, 160), seed=3, rate=20), 3))
    again = list(itertools.islice(open_source("synthetic", size=(96, 160), seed=3, rate=20), 3))
    assert [f.stamp_ns for f in first] == [0, 50_000_000, 100_000_000]
    assert first[0].image.shape == (96, 160, 3)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].image, first[2].image)


@needs_camvid
def test_camvid_names_hold_frame_numbers():
    frames = list(itertools.islice(open_source(CAMVID / "test" / "images", number_rate=30), 3))
    assert [f.stamp_ns for f in frames] == [0, 1_000_000_000, 2_000_000_000]
    assert frames[0].image.shape == (360, 480, 3)


@pytest.mark.skipif(not DRIVE.is_file(), reason=f"needs the drive {DRIVE}")
def test_a_real_drive():
    source = open_source(DRIVE)
    assert source.rate == 25
    assert next(iter(source)).image.shape == (540, 960, 3)
