import threading
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from rclpy.serialization import serialize_message

from trust_seg_ros.drawing.panels import PanelContent
from trust_seg_ros.drawing.pictures import SIGNAL, UNKNOWN, FlagLabel
from trust_seg_ros.messages.fields import DetectionFields, HeaderFields, ImageFields
from trust_seg_ros.node.demo.recorder import Recorder, RecorderError, flag_labels, interest, label_set
from trust_seg_ros.node.demo.watch import FrameSet
from trust_seg_ros.node.messages import detections_message, image_message
from trust_seg_ros.segmentation.labels import load_labels

SIZE = (60, 80)
CAMVID = load_labels("camvid11").names


def detection(p_wrong=0.8, ood=0.1, centre=(40.0, 30.0), size=(20.0, 10.0)):
    return DetectionFields("1", centre, size, (("Car", 1 - p_wrong), ("unreliable", p_wrong), ("ood", ood)))


def frame_set(seconds, flagged=True, entropy_encoding="mono8"):
    stamp = 100_000_000_000 + round(seconds * 1e9)
    header = HeaderFields(*divmod(stamp, 1_000_000_000), "camera")
    rng = np.random.default_rng(int(seconds * 100))
    flags = np.zeros(SIZE, np.uint8)
    if flagged:
        flags[25:35, 30:50] = 255
    entropy = rng.random(SIZE, dtype=np.float32)
    images = {
        "camera": ImageFields("rgb8", rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)),
        "segmentation": ImageFields("mono8", rng.integers(0, 11, SIZE, dtype=np.uint8)),
        "entropy": ImageFields(
            entropy_encoding, entropy if entropy_encoding == "32FC1" else (entropy * 255).astype(np.uint8)
        ),
        "unreliable": ImageFields("mono8", flags),
        "ood": ImageFields("mono8", np.zeros(SIZE, np.uint8)),
    }
    raw = {name: bytes(serialize_message(image_message(fields, header))) for name, fields in images.items()}
    raw["segments"] = bytes(serialize_message(detections_message([detection()] if flagged else [], header)))
    return FrameSet(stamp, 40.0, raw)


def record(folder, sets, rate=10.0):
    recorder = Recorder(folder, rate, lambda: CAMVID, lambda: 0.5, width=800)
    for one in sets:
        recorder.offer(one)
        while recorder._slot._items:  # the test wants every frame
            pass
    return recorder.close()


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def film_frames(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (frame := capture.read())[0]:
        frames.append(frame[1])
    return frames, capture.get(cv2.CAP_PROP_FPS)


@pytest.mark.parametrize("encoding", ["mono8", "32FC1"])
def test_film_and_picture(tmp_path, encoding):
    recording = record(tmp_path, [frame_set(i / 10, i == 2, encoding) for i in range(5)])
    frames, rate = film_frames(recording.film)
    assert len(frames) == recording.frames == 5
    assert rate == 10
    assert frames[0].shape[1] == 800
    assert recording.seconds == 0.5
    picture = cv2.imread(str(recording.picture))[..., ::-1]
    assert picture.shape == frames[0].shape
    assert (picture == SIGNAL).all(axis=2).sum() > 100, "the picture shows the one frame with a flagged segment"
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["demo.mp4", "demo.png"], "nothing partial is left"


def test_frames_stand_as_long_as_they_were_apart(tmp_path):
    recording = record(tmp_path, [frame_set(t) for t in (0.0, 0.5, 0.52, 60.0)])
    assert recording.frames == 6 + 51, "gaps are filled, but never by more than five seconds"


def test_without_frames_there_is_neither_film_nor_picture(tmp_path):
    recording = record(tmp_path, [])
    assert recording.film is recording.picture is None
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    recorder = Recorder(tmp_path / "missing", 10.0, lambda: CAMVID)
    recorder.offer(frame_set(0))
    with pytest.raises(RecorderError, match="writable"):
        recorder.close()


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_frames_make_a_film_and_a_picture(tmp_path, count):
    recording = record(tmp_path, [frame_set(i / 10) for i in range(count)])
    assert len(film_frames(recording.film)[0]) == recording.frames == count
    assert cv2.imread(str(recording.picture)) is not None


def test_a_thread_that_still_writes_keeps_its_writer(tmp_path):
    asked, answer = threading.Event(), threading.Event()

    def threshold():
        asked.set()
        answer.wait(30)
        return 0.5

    recorder = Recorder(tmp_path, 10.0, lambda: CAMVID, width=800)
    recorder.offer(frame_set(0.0))
    wait_for(lambda: recorder._written == 1)
    recorder._threshold = threshold
    closed, close = [], recorder._writer.close
    recorder._writer.close = lambda: closed.append(1) or close()
    recorder.offer(frame_set(0.1))
    assert asked.wait(30)
    with pytest.raises(RecorderError, match=r"not written after 0\.1 s; .*demo\.partial\.mp4 is incomplete"):
        recorder.close(patience=0.1)
    assert not closed, "released under the thread's feet"
    assert not (tmp_path / "demo.mp4").exists()
    answer.set()
    recorder._thread.join(30)
    assert len(film_frames(tmp_path / "demo.partial.mp4")[0]) == 2, "the thread finished what it had begun"


def test_offering_never_waits_and_counts_what_is_left_out(tmp_path):
    recorder = Recorder(tmp_path, 10.0, lambda: CAMVID, width=800)
    sets = [frame_set(i / 10) for i in range(3)] * 20
    for one in sets:
        recorder.offer(one)
    recording = recorder.close()
    assert 0 < recording.left_out < len(sets)


def test_labels_are_largest_first_and_name_the_reason():
    unknown = DetectionFields("4", (40.0, 30.0), (20.0, 10.0), (("Car", 0.25), ("ood", 0.75)))
    on_unknown = detection(0.1, ood=0.75)  # flagged for lying on the one above, which is labelled itself
    message = detections_message(
        [detection(0.9, size=(4.0, 4.0)), on_unknown, detection(0.6, size=(40.0, 30.0)), unknown], HeaderFields()
    )
    labels = flag_labels(message, threshold=0.5)
    assert [label.text for label in labels] == ["not Car, 60 %", "unknown, 75 %", "not Car, 90 %"]
    assert [label.colour for label in labels] == [SIGNAL, UNKNOWN, SIGNAL]
    assert labels[0].box == (20, 15, 60, 45)


def test_without_a_meta_model_a_segment_is_unknown_and_the_number_is_called_a_score():
    fields = DetectionFields("1", (5.0, 5.0), (4.0, 4.0), (("Car", 0.5), ("ood_score", 0.8)))
    assert flag_labels(detections_message([fields], HeaderFields()))[0].text == "unknown, score 0.80"


def test_shipped_labels_lend_their_colours():
    assert np.array_equal(label_set(CAMVID).palette, load_labels("camvid11").palette)
    assert len(label_set(("a", "b", "c")).palette) == 3


def test_a_picture_with_both_kinds_of_labels_is_more_interesting_than_with_one():
    plane = np.zeros(SIZE, np.uint8)
    content = PanelContent(np.zeros((*SIZE, 3), np.uint8), plane, plane, plane)
    wrong = FlagLabel((30, 30, 40, 40), "not Car, 80 %", SIGNAL)
    unknown = FlagLabel((30, 30, 40, 40), "unknown, 90 %", UNKNOWN)
    one, two, both = (
        interest(replace(content, labels=labels)) for labels in ([wrong], [wrong, wrong], [wrong, unknown])
    )
    assert both > two > one


def test_a_flagged_segment_in_the_middle_is_more_interesting_than_none_or_everything():
    def content(flags):
        return PanelContent(np.zeros((*SIZE, 3), np.uint8), np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8), flags)

    none, middle, edge = (np.zeros(SIZE, np.uint8) for _ in range(3))
    middle[30:40, 35:45] = 255
    edge[0:10, 0:10] = 255
    everything = np.full(SIZE, 255, np.uint8)
    scores = {name: interest(content(f)) for name, f in
              {"none": none, "middle": middle, "edge": edge, "everything": everything}.items()}  # fmt: skip
    assert scores["middle"] > scores["edge"] > scores["none"]
    assert scores["middle"] > scores["everything"]
