"""Packets of video → pictures: every packet is decoded, and what is smeared is refused."""

from dataclasses import replace

import numpy as np
import pytest
from video_streams import encoded, moving

from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.h26x import H264Stream, units
from trust_seg_ros.messages.image_bytes import ImageError, RawCompressed, RawPacket
from trust_seg_ros.messages.video import VideoDecoder, VideoError, VideoPacket, codec_of, frame_of_video

CODECS = ("h264", "hevc")
PICTURES = moving(30)


@pytest.fixture(scope="module")
def streams():
    return {codec: encoded(codec, PICTURES) for codec in ("h264", "hevc", "mpeg4")}


@pytest.fixture
def decoder():
    return VideoDecoder(1_000_000)


def packet(codec, data, index, **more):
    return VideoPacket(HeaderFields(100 + index, 0, "front"), codec, data, **more)


def decode(decoder, packets):
    """Index -> picture of what was decoded; index -> reason of what was refused."""
    seen, refused = {}, {}
    for index, each in packets:
        try:
            for header, picture in decoder.decode(each):
                seen[header.sec - 100] = frame_of_video(header, picture).image
        except VideoError as error:
            refused[index] = str(error)
    return seen, refused


def stream(codec, packets, without=()):
    return [(i, packet(codec, data, i)) for i, data in enumerate(packets) if i not in without]


def far(one, other):
    """Mean difference of two pictures, of 255."""
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.parametrize("codec", CODECS)
def test_every_packet_gives_its_picture_with_its_header(streams, decoder, codec):
    seen, refused = decode(decoder, stream(codec, streams[codec]))
    assert not refused
    assert sorted(seen) == list(range(30))
    assert max(far(seen[i], PICTURES[i]) for i in seen) < 6
    assert far(seen[3], PICTURES[9]) > 12, "other pictures are told apart"


@pytest.mark.parametrize("codec", CODECS)
def test_it_begins_with_a_key_frame(streams, decoder, codec):
    seen, refused = decode(decoder, stream(codec, streams[codec], without=range(4)))
    assert sorted(refused) == list(range(4, 10))
    assert f"the stream begins; waiting for a key frame of the {codec} stream" in refused[4]
    assert sorted(seen) == list(range(10, 30))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("missing", [[5], [5, 6, 7], [9], [13, 24]])
def test_pictures_after_a_missing_packet_are_refused_until_the_next_key_frame(streams, decoder, codec, missing):
    seen, refused = decode(decoder, stream(codec, streams[codec], without=missing))
    smeared = {i for m in missing for i in range(m + 1, (m // 10 + 1) * 10)} - set(missing)
    assert set(refused) == smeared
    assert all("waiting for a key frame" in why for why in refused.values())
    assert set(seen) == set(range(30)) - smeared - set(missing)
    assert max(far(seen[i], PICTURES[i]) for i in seen) < 6


def test_a_missing_key_frame_is_noticed(streams, decoder):
    _, refused = decode(decoder, stream("h264", streams["h264"], without=[10]))
    assert sorted(refused) == list(range(11, 20))
    assert "packets are missing: frame number 1 follows 9" in refused[11]


def test_packets_of_ffmpeg_image_transport_count_themselves(streams):
    """Their flags say what a key frame is, so any codec of FFmpeg will do."""
    packets = streams["mpeg4"]
    made = [
        (i, VideoPacket.of(RawPacket(HeaderFields(100 + i), "mpeg4;yuv420p;bgr8;bgr8", i, i % 10 == 0, _bytes(data))))
        for i, data in enumerate(packets)
    ]
    seen, refused = decode(VideoDecoder(1_000_000), [pair for pair in made if pair[0] not in (0, 14)])
    assert set(refused) == {*range(1, 10), *range(15, 20)}, refused.get(13)
    assert "packets are missing: packet 15 follows 13" in refused[15]
    assert set(seen) == {*range(10, 14), *range(20, 30)}


def test_a_pts_that_is_no_counter_says_nothing(streams, decoder):
    packets = [(i, packet("h264", data, i, number=i * 33_333 + i % 3)) for i, data in enumerate(streams["h264"])]
    seen, refused = decode(decoder, packets)
    assert not refused
    assert len(seen) == 30


def _bytes(data):
    return np.frombuffer(data, np.uint8)


def test_time_that_jumps_back_begins_anew(streams, decoder):
    packets = stream("h264", streams["h264"])
    decode(decoder, packets[:5])
    again = [(i, replace(each, header=HeaderFields(50 + i))) for i, each in packets[5:]]
    seen, refused = decode(decoder, again)
    assert sorted(refused) == list(range(5, 10))
    assert "time jumped back by 49.000 s" in refused[5]
    assert len(seen) == 20


@pytest.mark.parametrize("codec", CODECS)
def test_the_size_may_change_with_a_key_frame(streams, decoder, codec):
    larger = encoded(codec, moving(5, (144, 192)))
    packets = [*streams[codec][:5], *larger]
    seen, refused = decode(decoder, stream(codec, packets))
    assert not refused
    assert [seen[i].shape[:2] for i in (4, 5, 9)] == [(96, 128), (144, 192), (144, 192)]


@pytest.mark.parametrize("codec", CODECS)
def test_a_picture_over_the_limit_is_refused_before_it_is_decoded(streams, codec):
    seen, refused = decode(VideoDecoder(96 * 128 - 1), stream(codec, streams[codec][:3]))
    assert not seen
    assert "max_image_pixels allows 12287 pixels" in refused[0]
    assert len(decode(VideoDecoder(96 * 128), stream(codec, streams[codec][:3]))[0]) == 3


def test_another_codec_begins_anew(streams, decoder):
    decode(decoder, stream("h264", streams["h264"][:3]))
    seen, refused = decode(decoder, [(i, packet("hevc", streams["hevc"][i], 10 + i)) for i in (3, 10, 11)])
    assert "the stream is hevc now; waiting" in refused[3]
    assert sorted(seen) == [20, 21]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "zeros"])
def test_damaged_packets_never_end_in_another_exception(streams, decoder, codec, damage):
    rng = np.random.default_rng(3)
    packets = []
    for index, data in enumerate(streams[codec]):
        if index % 4 == 2:
            data = {
                "cut": data[: len(data) // 3],
                "noise": data[:6] + rng.integers(0, 256, len(data), dtype=np.uint8).tobytes(),
                "empty": b"",
                "zeros": b"\0" * 50,
            }[damage]
        packets.append(data)
    seen, refused = decode(decoder, stream(codec, packets))
    assert refused
    assert 0 in seen
    assert all(why.startswith("packet refused: ") for why in refused.values())


def test_other_forms_are_refused_with_the_way_out(streams, decoder):
    unit = units(streams["h264"][0])[0]
    length_first = len(unit).to_bytes(4, "big") + unit
    with pytest.raises(
        VideoError, match=r"h264 without start codes \(begins with 000000[0-9a-f]{2}\), expected Annex B"
    ):
        decoder.decode(packet("h264", length_first, 0))
    with pytest.raises(VideoError, match="FFmpeg has no decoder 'nonesuch'"):
        decoder.decode(packet("nonesuch", b"abc", 0, key=True))
    with pytest.raises(VideoError, match="names no codec"):
        VideoPacket.of(RawPacket(HeaderFields(), "", 0, 0, _bytes(b"")))
    assert issubclass(VideoError, ImageError)


@pytest.mark.parametrize(
    ("text", "codec"),
    [("h264", "h264"), ("H265", "hevc"), ("hevc", "hevc"), ("video/avc", "h264"), ("libx264", "h264"),
     ("hevc_nvenc", "hevc"), ("jpeg", ""), ("rgb8; jpeg compressed bgr8", ""), ("", "")],
)  # fmt: skip
def test_codecs_go_by_many_names(text, codec):
    assert codec_of(text) == codec
    if codec:
        assert VideoPacket.of(RawCompressed(HeaderFields(), text, _bytes(b"x"))).codec == codec


@pytest.mark.parametrize("more", [{"profile": "high444"}, {"x264-params": "slices=4"}, {"x264-params": "cqm=jvt"},
                                  {"x264-params": "interlaced=1"}])  # fmt: skip
def test_frame_numbers_are_read_of_every_profile(more):
    """High profiles have more fields before the number, scaling lists among them; a picture may have several slices."""
    follow = H264Stream()
    looks = [follow.packet(data) for data in encoded("h264", PICTURES[:25], **more)]
    assert [i for i, (key, _) in enumerate(looks) if key] == [0, 10, 20]
    assert not any(missing for _, missing in looks)
    follow = H264Stream()
    packets = encoded("h264", PICTURES[:9], **more)
    assert [bool(follow.packet(data)[1]) for data in packets[:3] + packets[4:6]] == [False, False, False, True, False]
