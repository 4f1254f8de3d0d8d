"""Every kind of recording that can be replayed gives the masks of its images."""

import os

import cv2
import numpy as np
import pytest
from replay_bench import (
    LIGHT,
    SECOND,
    TOPIC,
    decoded,
    frame_table,
    pixels,
    read_bag,
    replay,
    stamp_ns,
    synthetic,
    write_bag,
)
from rosbags.rosbag1 import Writer as Writer1
from rosbags.typesys import Stores, get_typestore

from trust_seg_ros.commands.replay_parameters import replay_parameters
from trust_seg_ros.messages.fields import HeaderFields, ImageFields
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.recordings.replay.inputs import open_recording
from trust_seg_ros.recordings.replay.message_types import COMPRESSED, IMAGE
from trust_seg_ros.recordings.replay.options import SourceSpec
from trust_seg_ros.recordings.replay.plan import plan_chunks
from trust_seg_ros.recordings.replay.serialise import compressed_cdr, image_cdr
from trust_seg_ros.types import Frame

FEW = ("--topics", "segmentation", "--chunk-frames", "2")
COUNT = 5


@pytest.fixture(scope="module")
def network():
    settings = replay_parameters(None, LIGHT[1::2])
    return TrustPipeline.load(settings.pipeline)


def assert_replayed(network, out, frames, camera):
    """The output holds the masks of (stamp_ns, RGB), and the images as they were recorded."""
    found = read_bag(out)
    assert found.keys() == {"/trust_seg/segmentation", "/trust_seg/label_info", camera}
    masks = decoded(found["/trust_seg/segmentation"])
    assert [stamp_ns(m) for _, m in masks] == [stamp for stamp, _ in frames]
    assert [stamp_ns(m) for _, m in decoded(found[camera])] == [stamp for stamp, _ in frames]
    for (_, mask), (_, rgb) in zip(masks, frames, strict=True):
        np.testing.assert_array_equal(pixels(mask), network(Frame(rgb)).maps.classes.numpy())
    assert len({pixels(m).tobytes() for _, m in masks}) == len(frames), "the frames differ"
    assert (frame_table(out)["refused"] == "").all()


def encoded(rgb, suffix):
    """Bytes of a file, and the pixels that come back."""
    data = cv2.imencode(suffix, rgb[..., ::-1])[1]
    return data.tobytes(), np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


@pytest.mark.parametrize(("suffix", "form"), [(".jpg", "jpeg"), (".png", "bgr8; png compressed bgr8")])
def test_compressed_images(network, tmp_path, suffix, form):
    messages, frames = [], []
    for stamp, rgb in synthetic(COUNT):
        data, back = encoded(rgb, suffix)
        header = HeaderFields(*divmod(stamp, SECOND), "camera")
        messages.append((f"{TOPIC}/compressed", COMPRESSED, stamp + 5, bytes(compressed_cdr(data, form, header))))
        frames.append((stamp, back))
    replay(write_bag(tmp_path / "bag", messages), tmp_path / "out", *FEW, *LIGHT)
    assert_replayed(network, tmp_path / "out", frames, f"{TOPIC}/compressed")
    assert read_bag(tmp_path / "out")[f"{TOPIC}/compressed"] == [(at, kind, data) for _, kind, at, data in messages]


def test_a_ros_1_bag(network, tmp_path):
    store, path = get_typestore(Stores.ROS1_NOETIC), tmp_path / "drive.bag"
    with Writer1(path) as writer:
        connection = writer.add_connection(TOPIC, IMAGE, typestore=store)
        for number, (stamp, rgb) in enumerate(synthetic(COUNT)):
            time = store.types["builtin_interfaces/msg/Time"](*divmod(stamp, SECOND))
            header = store.types["std_msgs/msg/Header"](seq=number, stamp=time, frame_id="camera")
            message = store.types[IMAGE](header, 96, 128, "bgr8", 0, 384, rgb[..., ::-1].reshape(-1))
            writer.write(connection, stamp + 7, store.serialize_ros1(message, IMAGE))
    replay(path, tmp_path / "out", *FEW, *LIGHT)
    assert_replayed(network, tmp_path / "out", synthetic(COUNT), TOPIC)
    found = read_bag(tmp_path / "out")
    assert [at for at, *_ in found["/trust_seg/segmentation"]] == [stamp + 7 for stamp, _ in synthetic(COUNT)]
    for (_, message), (_, rgb) in zip(decoded(found[TOPIC]), synthetic(COUNT), strict=True):
        assert (message.encoding, message.header.frame_id) == ("bgr8", "camera")
        np.testing.assert_array_equal(pixels(message), rgb[..., ::-1])


@pytest.mark.parametrize("suffixes", [(".png",), (".jpg", ".png"), (".bmp",), (".bmp", ".jpg")])
def test_a_folder_of_images(network, tmp_path, suffixes):
    (tmp_path / "images").mkdir()
    frames = []
    for i, (_, rgb) in enumerate(synthetic(COUNT)):
        suffix = suffixes[i % len(suffixes)]
        data, back = encoded(rgb, suffix)
        (tmp_path / "images" / f"drive_{i * 15:06d}{suffix}").write_bytes(data)
        frames.append((SECOND + i * SECOND // 2, back))
    replay(tmp_path / "images", tmp_path / "out", "--number-rate", 30, *FEW, *LIGHT)
    assert_replayed(network, tmp_path / "out", frames, "/camera/image")
    kinds = {kind for _, kind, _ in read_bag(tmp_path / "out")["/camera/image"]}
    assert kinds == ({IMAGE} if ".bmp" in suffixes else {COMPRESSED}), "files are handed on as they are where they can"


@pytest.mark.parametrize(("suffix", "code"), [(".mp4", "mp4v"), (".avi", "MJPG")])
def test_a_video(network, tmp_path, suffix, code):
    path = tmp_path / f"drive{suffix}"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 20, (128, 96))
    if not writer.isOpened():
        pytest.skip(f"OpenCV here cannot write {code}")
    for _, rgb in synthetic(COUNT):
        writer.write(rgb[..., ::-1])
    writer.release()
    reader, frames = cv2.VideoCapture(str(path)), []
    while (answer := reader.read())[0]:
        frames.append((SECOND + len(frames) * SECOND // 20, np.ascontiguousarray(answer[1][..., ::-1])))
    assert len(frames) == COUNT
    replay(path, tmp_path / "out", *FEW, *LIGHT)
    assert_replayed(network, tmp_path / "out", frames, "/camera/image")


def test_an_image_file_that_cannot_be_read_is_refused_and_named(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for index, (_, picture) in enumerate(synthetic(3)):
        cv2.imwrite(str(folder / f"{index}.bmp"), picture)
    (folder / "1.bmp").write_bytes(b"BM no picture")
    said = replay(folder, tmp_path / "out", *LIGHT, "--topics", "segmentation")
    assert "2 frames judged, 1 refused" in said
    assert "1.bmp cannot be read" in said


def short_video(path, count, code="MJPG"):
    """A video of grey frames, each brighter than the last."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 20, (64, 48))
    if not writer.isOpened():
        pytest.skip(f"OpenCV here cannot write {code}")
    for i in range(count):
        writer.write(np.full((48, 64, 3), 5 * i, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(("suffix", "code"), [(".mp4", "mp4v"), (".avi", "MJPG")])
def test_a_video_is_opened_once_for_chunks_in_order_and_read_alike_in_any(tmp_path, monkeypatch, suffix, code):
    from trust_seg_ros.recordings import videos

    path, opened = short_video(tmp_path / f"drive{suffix}", 40, code), []
    capture = videos._capture
    monkeypatch.setattr(videos, "_capture", lambda path: opened.append(path) or capture(path))
    recording = open_recording(SourceSpec(path))
    whole = list(recording.messages())
    chunks = plan_chunks(recording.start_ns, recording.end_ns, 40, 6)
    opened.clear()

    def read(order):
        return {k: list(recording.messages(None, chunks[k].start_ns, chunks[k].stop_ns)) for k in order}

    def joined(parts):
        return [message for k in sorted(parts) for message in parts[k]]

    assert joined(read(range(len(chunks)))) == whole
    assert len(opened) == 1, "the whole before ended behind the first chunk"
    assert joined(read(reversed(range(len(chunks))))) == whole
    recording.close()
    opened.clear()
    every_other = read(range(0, len(chunks), 2))  # as one of two workers
    assert len(opened) == 1
    assert joined(every_other | read(range(1, len(chunks), 2))) == whole
    assert recording.damage == ""
    stopped = recording.messages()
    first, at_once = next(stopped), next(iter(recording.messages()))
    stopped.close()
    assert first == at_once == whole[0]
    recording.close()


def test_a_video_that_is_cut_short_says_where_it_ends(tmp_path):
    path = short_video(tmp_path / "drive.avi", 40)
    os.truncate(path, path.stat().st_size // 2)
    said = replay(path, tmp_path / "out", *FEW, *LIGHT)
    judged = len(frame_table(tmp_path / "out")["camera"])
    assert 5 < judged < 40
    assert f"drive.avi ends after {judged} frames and " in said
    assert "although it states 40 frames" in said


def wide_message(stamp, rgb, gain):
    """A camera of 12 bits in 16, as mono16; ``gain`` makes some frames dark."""
    grey = (rgb[..., 1].astype(np.uint16) << 4) // gain
    if gain == 1:
        grey[0, 0] = 4095
    return image_cdr(ImageFields("mono16", grey), HeaderFields(*divmod(stamp, SECOND), "camera")), grey


def test_a_camera_of_12_bits_is_read_alike_in_every_chunk(network, tmp_path):
    """The first frames are dark; all chunks start with what images all over the recording show."""
    messages, frames = [], []
    for index, (stamp, rgb) in enumerate(synthetic(COUNT)):
        data, grey = wide_message(stamp, rgb, 16 if index < 2 else 1)
        messages.append((TOPIC, IMAGE, stamp + 5, bytes(data)))
        frames.append((stamp, np.repeat((grey >> 4).astype(np.uint8)[..., None], 3, 2)))
    out = tmp_path / "out"
    said = replay(write_bag(tmp_path / "bag", messages), out, *FEW, *LIGHT)
    assert f"{TOPIC}: mono16: 12 of 16 bits are in use" in said
    masks = decoded(read_bag(out)["/trust_seg/segmentation"])
    for (_, mask), (_, rgb) in zip(masks, frames, strict=True):
        np.testing.assert_array_equal(pixels(mask), network(Frame(rgb)).maps.classes.numpy())


def test_a_damaged_jpeg_is_refused_and_taken_where_that_is_asked_for(tmp_path):
    messages = []
    for index, (stamp, rgb) in enumerate(synthetic(4)):
        data = encoded(rgb, ".jpg")[0]
        data = data[: len(data) // 2] + b"\xff\xd9" if index == 1 else data + b"stale bytes"
        header = HeaderFields(*divmod(stamp, SECOND), "camera")
        messages.append((f"{TOPIC}/compressed", COMPRESSED, stamp + 5, bytes(compressed_cdr(data, "jpeg", header))))
    bag = write_bag(tmp_path / "bag", messages)
    said = replay(bag, tmp_path / "out", *FEW, *LIGHT)
    assert "3 frames judged, 1 refused" in said
    assert "damaged or cut short (Corrupt JPEG data: premature end of data segment)" in said
    said = replay(bag, tmp_path / "taken", *FEW, *LIGHT, "-p", "refuse_damaged_jpegs:=false")
    assert "4 frames judged" in said
    assert "damaged JPEGs are not noticed: refuse_damaged_jpegs is false" in said
