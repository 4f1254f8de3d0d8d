"""What the camera may send: its type is found by itself, and a video is decoded whole."""

import importlib.util
import time

import cv2
import numpy as np
import pytest
from node_networks import NAMES
from ros_bench import Bench, NodeProcess, watched
from sensor_msgs.msg import CompressedImage, Image
from video_streams import encoded

from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.image_bytes import ImageError
from trust_seg_ros.node.arrivals import TYPES, Arrived, chosen_kind
from trust_seg_ros.node.conversions import read_packet
from trust_seg_ros.node.image_reader import ImageReader
from trust_seg_ros.node.settings import settings_from

PICTURES = [np.roll(np.repeat(np.array([[[255, 0, 0]] * 32 + [[0, 0, 255]] * 32], np.uint8), 48, 0), i, 1)
            for i in range(40)]  # fmt: skip
"""48 x 64: red and blue halves that wander."""
pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def bench():
    node = NodeProcess("any_input", **{"diagnostics.period_s": 0.2})
    bench = Bench("any_input")
    with watched(node, bench):
        bench.listen("segmentation")
        yield bench


def jpeg(picture):
    return cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]))[1].tobytes()


def answer_to(bench, send):
    """The first answer to what was sent from now on."""
    bench.received["segmentation"].clear()
    begun = len(bench.sent)

    def fresh():
        sent = set(bench.sent[begun:])
        return [m for m in bench.received["segmentation"] if (m.header.stamp.sec, m.header.stamp.nanosec) in sent]

    return bench.until(fresh, "an answer", each=send)[0]


def classes(message):
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width)


def test_the_type_follows_the_publishers(bench):
    assert NAMES[0] == "red"
    for _ in range(2):
        bench.camera(kind=CompressedImage)
        message = answer_to(bench, lambda: bench.send_compressed(jpeg(PICTURES[0])))
        assert classes(message)[24, [4, 60]].tolist() == [0, 2]
        bench.camera(kind=Image)
        assert answer_to(bench, bench.send).height == 48
    bench.says("camera", "frames/s", each=bench.send)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_video_is_judged_picture_by_picture_and_refused_where_packets_are_missing(bench, codec):
    packets = encoded(codec, PICTURES, every=10)
    bench.camera(kind=CompressedImage, depth=100)
    answer_to(bench, lambda: bench.send_compressed(packets[0], codec))
    bench.received["segmentation"].clear()
    stamps = {}
    for i, packet in enumerate(packets):
        if i == 25:
            continue
        stamps[bench.send_compressed(packet, codec)] = i
        end = time.monotonic() + 0.03
        while time.monotonic() < end:
            bench.executor.spin_once(timeout_sec=0.01)
    bench.until(lambda: stamps.get(bench.received["segmentation"][-1].header.stamp.sec) == 39, "the last picture")
    answers = [m for m in bench.received["segmentation"] if m.header.stamp.sec in stamps]
    seen = {stamps[m.header.stamp.sec]: classes(m) for m in answers}
    assert set(seen) <= set(range(40)) - set(range(25, 30))
    assert len(seen) > 20, "most are judged: the network is quick"
    for i, found in seen.items():
        expected = np.where(PICTURES[i][..., 0] > 0, 0, 2)
        assert (found == expected).mean() > 0.9, f"picture {i}, with its own stamp"
    bench.says("camera", "waiting for a key frame", each=lambda: bench.send_compressed(packets[5], codec))


def test_all_packets_are_decoded_and_only_the_newest_picture_is_judged():
    packets = encoded("h264", PICTURES, every=100)
    waiting = [len(packets) - 1]
    reader, settings = ImageReader(0, lambda: waiting[0]), settings_from({"mode": "latest"})
    found = []
    for i, data in enumerate(packets):
        waiting[0] = len(packets) - 1 - i
        read = reader.read(Arrived("compressed", compressed(data, i), True), settings)
        found.append(None if read is None else read[0].sec)
    assert found == [None] * 39 + [39]
    every = ImageReader(0, lambda: 7)
    stamps = [every.read(Arrived("compressed", compressed(d, i), True), settings_from({"mode": "every"}))[0].sec
              for i, d in enumerate(packets)]  # fmt: skip
    assert stamps == list(range(40))


def test_a_decoder_that_cannot_keep_up_shows_something_all_the_same():
    packets = encoded("h264", [PICTURES[i % 40] for i in range(130)], every=1000)
    reader = ImageReader(0, lambda: 1)
    read = [
        reader.read(Arrived("compressed", compressed(d, i), True), settings_from({})) for i, d in enumerate(packets)
    ]
    assert [i for i, each in enumerate(read) if each is not None] == [59, 119]


def test_after_nobody_listened_a_video_goes_on_with_a_key_frame():
    packets = encoded("h264", PICTURES, every=10)
    reader, settings = ImageReader(0), settings_from({})
    arrived = [Arrived("compressed", compressed(data, i), True) for i, data in enumerate(packets)]
    for each in arrived[:3]:
        assert reader.read(each, settings) is not None
    reader.skip(arrived[3])
    with pytest.raises(ImageError, match="nobody listened; waiting for a key frame"):
        reader.read(arrived[4], settings)
    assert reader.read(arrived[10], settings) is not None


def compressed(data, index, form="h264"):
    """A CompressedImage as the middleware serialises it."""
    from rclpy.serialization import serialize_message

    message = CompressedImage(format=form)
    message.header.stamp.sec = index
    message.data.frombytes(data)
    return bytes(serialize_message(message))


def test_what_a_message_is_is_seen_when_it_arrives():
    assert Arrived.of("compressed", compressed(b"x", 1)).video
    assert Arrived.of("packets", b"").video
    assert not Arrived.of("compressed", compressed(b"x", 1, "rgb8; jpeg compressed bgr8")).video
    assert not Arrived.of("compressed", b"\0\1\0\0short").video
    assert not Arrived.of("raw", compressed(b"x", 1)).video


@pytest.mark.parametrize(
    ("setting", "offered", "now", "kind"),
    [
        ("auto", [], "raw", "raw"),
        ("auto", ["compressed"], "raw", "compressed"),
        ("auto", ["packets"], "raw", "packets"),
        ("auto", ["packets", "raw"], "compressed", "raw"),
        ("auto", ["compressed", "raw"], "compressed", "compressed"),
        ("auto", [], "compressed", "compressed"),
        ("raw", ["compressed"], "raw", "raw"),
        ("packets", ["raw"], "raw", "packets"),
    ],
)
def test_which_type_is_subscribed_to(setting, offered, now, kind):
    assert chosen_kind(setting, {TYPES[name] for name in offered}, now) == kind


FFMPEG_PACKET = """std_msgs/Header header
int32 width
int32 height
string encoding
uint64 pts
uint8 flags
bool is_bigendian
uint8[] data
"""


@pytest.mark.parametrize("frame_id", ["", "f", "front/left", "front/left_camera"])
@pytest.mark.parametrize("encoding", ["h264", "hevc;yuv420p;bgr8;bgr8"])
def test_packets_of_ffmpeg_image_transport_are_read_in_place(frame_id, encoding):
    """Against rosbags, which serialises by the message's definition; numbers of 8 bytes are aligned."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store, name = get_typestore(Stores.ROS2_JAZZY), TYPES["packets"]
    store.register(get_types_from_msg(FFMPEG_PACKET, name))
    header = store.types["std_msgs/msg/Header"](store.types["builtin_interfaces/msg/Time"](7, 8), frame_id)
    data = np.arange(50, dtype=np.uint8)
    message = store.types[name](header, 640, 480, encoding, 2**40 + 3, 1, False, data)
    raw = bytes(store.serialize_cdr(message, name))
    found = read_packet(raw)
    assert found.header == HeaderFields(7, 8, frame_id)
    assert (found.encoding, found.pts, found.flags) == (encoding, 2**40 + 3, 1)
    np.testing.assert_array_equal(found.data, data)
    for end in range(4, len(raw)):
        with pytest.raises(ImageError):
            read_packet(raw[:end])


HAS_PACKETS = importlib.util.find_spec("ffmpeg_image_transport_msgs") is not None


@pytest.mark.skipif(not HAS_PACKETS, reason="ffmpeg_image_transport_msgs is not installed")
def test_packets_are_found_and_judged(bench):
    from ffmpeg_image_transport_msgs.msg import FFMPEGPacket

    packets = encoded("h264", PICTURES, every=10)
    bench.camera(kind=FFMPEGPacket, depth=100)
    count = iter(range(10_000))

    def send():
        i = next(count)
        message = FFMPEGPacket(width=64, height=48, encoding="h264;yuv420p;bgr8;bgr8", pts=i, flags=int(i % 10 == 0))
        message.header.stamp.sec, message.header.frame_id = 50_000 + i, "front"
        message.data.frombytes(packets[i % 40])
        bench.sent.append((50_000 + i, 0))
        bench._camera.publish(message)

    found = answer_to(bench, send)
    expected = np.where(PICTURES[(found.header.stamp.sec - 50_000) % 40][..., 0] > 0, 0, 2)
    assert (classes(found) == expected).mean() > 0.9


@pytest.mark.skipif(HAS_PACKETS, reason="ffmpeg_image_transport_msgs is installed")
def test_packets_without_their_messages_are_refused_with_the_way_out():
    node = NodeProcess("no_packets", input="packets")
    bench = Bench("no_packets")
    try:
        bench.says("model", "install ros-$ROS_DISTRO-ffmpeg-image-transport-msgs")
    finally:
        bench.close()
        node.kill()
        print(node.said())
