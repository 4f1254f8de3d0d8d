"""A bag as a recording for the Rerun viewer, read back with Rerun's own reader."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from trust_seg_ros.message_fields import HeaderFields, MessageOptions, label_fields
from trust_seg_ros.recordings.errors import SourceError
from trust_seg_ros.recordings.export.rerun import ExportError, count_messages, write_rrd
from trust_seg_ros.recordings.replay.message_types import COMPRESSED, DETECTIONS, IMAGE, LABELS, type_store
from trust_seg_ros.recordings.replay.serialise import compressed_cdr, detections_cdr, image_cdr, labels_cdr
from trust_seg_ros.rendering import OUTPUTS, ImageFields, Rendering
from trust_seg_ros.segmentation.labels import load_labels

pytest.importorskip("rerun", reason="needs rerun-sdk")
from rerun.chunk import RrdReader
from rosbags.rosbag2 import StoragePlugin, Writer

sys.path.append(str(Path(__file__).parents[1] / "replay"))
from drive_frames import drive_results

NODE, CAMERA, SECOND = "/front/trust_seg", "/front/image_raw", 1_000_000_000
TOPICS = ("overlay", "segmentation", "entropy", "margin", "unreliable", "ood", "segments", "segment_ids")


def write_bag(path, messages):
    """messages: (topic, type, recorded_ns, CDR)."""
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {}
        for topic, kind, recorded_ns, data in messages:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=type_store())
            writer.write(connections[topic], recorded_ns, data)
    return path


def header(result):
    return HeaderFields(result.frame.stamp_ns // SECOND, result.frame.stamp_ns % SECOND, "front")


def diagnostics(values):
    types = type_store().types
    pairs = [types["diagnostic_msgs/msg/KeyValue"](key=key, value=value) for key, value in values.items()]
    status = types["diagnostic_msgs/msg/DiagnosticStatus"](
        level=0, name=f"{NODE[1:]}: thresholds", message="", hardware_id=CAMERA, values=pairs
    )
    kind = "diagnostic_msgs/msg/DiagnosticArray"
    stamped = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](1, 0), "")
    return kind, bytes(type_store().serialize_cdr(types[kind](header=stamped, status=[status]), kind))


def frame_messages(result, names, encoding="mono8", compressed=False):
    """Of one frame; recorded half a second after its stamp."""
    at, head = result.frame.stamp_ns + SECOND // 2, header(result)
    if compressed:
        packed = cv2.imencode(".png", result.frame.image[..., ::-1])[1].tobytes()
        yield CAMERA, COMPRESSED, at, compressed_cdr(packed, "png", head)
    else:
        yield CAMERA, IMAGE, at, image_cdr(ImageFields("rgb8", result.frame.image), head)
    options = MessageOptions(names, load_labels("camvid11").palette, encoding, every_segment=True)
    view = Rendering(result, options)
    for name in TOPICS:
        fields = OUTPUTS[name].build(view)
        if name == "segments":
            yield f"{NODE}/{name}", DETECTIONS, at, detections_cdr(fields, head)
        else:
            yield f"{NODE}/{name}", IMAGE, at, image_cdr(fields, head)


def drive_messages(encoding="mono8", compressed=False):
    names, results = drive_results()
    yield f"{NODE}/label_info", LABELS, SECOND, labels_cdr(label_fields(names, 0.75), HeaderFields())
    for result in results:
        yield from frame_messages(result, names, encoding, compressed)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rerun")
    bag = write_bag(folder / "bag", drive_messages())
    seen = []
    write_rrd(bag, folder / "new" / "drive.rrd", seen.append)
    return bag, folder / "new" / "drive.rrd", seen


def columns(path, entity):
    """Column -> values of all rows of an entity, in the order of time."""
    found = {}
    for chunk in RrdReader(path).stream().to_chunks():
        if chunk.entity_path == entity:
            batch = chunk.to_record_batch()
            for name, values in zip(batch.schema.names, batch.columns, strict=True):
                plain = values.to_numpy() if str(values.type).startswith("timestamp") else values.to_pylist()
                found.setdefault(name, []).extend(plain)
    return found


def component(path, entity, ending):
    there = columns(path, entity)
    [name] = [name for name in there if name.endswith(ending)]
    return [value for value in there[name] if value is not None]


def numbers(path, name):
    return [value[0] for value in component(path, f"{NODE}/numbers/{name}", "Scalars:scalars")]


def pixels(path, entity, kind):
    buffers = component(path, entity, f"{kind}:buffer")
    formats = component(path, entity, f"{kind}:format")
    return [np.array(b[0], np.uint8).reshape(f[0]["height"], -1) for b, f in zip(buffers, formats, strict=True)]


def pictures(path, entity):
    blobs = component(path, entity, "EncodedImage:blob")
    return [cv2.imdecode(np.array(blob[0], np.uint8), cv2.IMREAD_COLOR)[..., ::-1] for blob in blobs]


def test_entities_are_named_as_topics_and_have_both_times(exported):
    _, path, _ = exported
    _, results = drive_results()
    entities = {chunk.entity_path for chunk in RrdReader(path).stream().to_chunks()}
    shown = {f"{NODE}/{name}" for name in TOPICS if name != "segment_ids"}
    assert {CAMERA, *shown} <= entities
    assert f"{NODE}/segment_ids" not in entities
    for entity in (CAMERA, *sorted(shown - {f"{NODE}/segments"})):
        timed = [c for c in RrdReader(path).stream().to_chunks() if c.entity_path == entity and not c.is_static]
        assert {tuple(sorted(chunk.timeline_names)) for chunk in timed} == {("recorded", "stamp")}
        there = columns(path, entity)
        stamps = [np.datetime64(r.frame.stamp_ns, "ns") for r in results]
        assert there["stamp"] == stamps
        assert there["recorded"] == [t + np.timedelta64(500, "ms") for t in stamps]


def test_pixels_are_those_of_the_bag(exported):
    _, path, _ = exported
    names, results = drive_results()
    classes = pixels(path, f"{NODE}/segmentation", "SegmentationImage")
    entropies = pixels(path, f"{NODE}/entropy", "DepthImage")
    flags = pixels(path, f"{NODE}/unreliable", "SegmentationImage")
    ood = pixels(path, f"{NODE}/ood", "SegmentationImage")
    options = MessageOptions(names, load_labels("camvid11").palette)
    for i, result in enumerate(results):
        view = Rendering(result, options)
        assert np.array_equal(classes[i], view.classes)
        assert np.array_equal(entropies[i], view.entropy_bytes)
        assert np.array_equal(flags[i], view.unreliable)
        assert np.array_equal(ood[i], view.ood)
        for entity, image in ((CAMERA, result.frame.image), (f"{NODE}/overlay", OUTPUTS["overlay"].build(view).data)):
            assert np.abs(pictures(path, entity)[i].astype(int) - image).mean() < 8
    assert component(path, f"{NODE}/entropy", "DepthImage:meter")[0] == [255.0]


def test_curves_are_those_of_the_frames(exported):
    _, path, _ = exported
    _, results = drive_results()
    for i, result in enumerate(results):
        size = result.maps.entropy.numel()
        flagged = result.trust.unreliable[result.segments.ids - 1] & (result.segments.ids > 0)
        assert numbers(path, "share/entropy_mean")[i] == pytest.approx(float(result.maps.entropy.mean()), abs=1 / 255)
        assert numbers(path, "share/unreliable")[i] == pytest.approx(flagged.mean())
        assert numbers(path, "share/flagged")[i] == pytest.approx((flagged | result.pixel_flags).mean())
        assert numbers(path, "share/ood")[i] == pytest.approx(result.ood.sizes[result.ood.kept].sum() / size)
        assert numbers(path, "count/detected_segments")[i] == len(result.segments)
        assert numbers(path, "count/ood_segments")[i] == result.ood.kept.sum()
    assert numbers(path, "threshold/pixel") == [pytest.approx(0.75)]


def test_boxes_are_those_of_the_segments_and_say_what_they_are(exported):
    _, path, _ = exported
    names, results = drive_results()
    centres = component(path, f"{NODE}/segments", "Boxes2D:centers")
    halves = component(path, f"{NODE}/segments", "Boxes2D:half_sizes")
    labels = component(path, f"{NODE}/segments", "Boxes2D:labels")
    for i, result in enumerate(results):
        boxes = np.vstack([result.segments.boxes, result.ood.boxes[result.ood.kept]])
        assert np.allclose(np.subtract(centres[i], halves[i]), boxes[:, :2])
        assert np.allclose(np.add(centres[i], halves[i]), boxes[:, 2:])
        first = f"{names[result.segments.class_ids[0]]}, wrong {result.trust.p_wrong[0]:.2f}"
        assert labels[i][0].startswith(first)
        assert f"IoU {result.trust.iou[0]:.2f}" in labels[i][0]
        for k, label in zip(np.flatnonzero(result.ood.kept), labels[i][len(result.segments) :], strict=True):
            assert label == f"{names[result.ood.class_ids[k]]}, OoD {result.ood.p_ood[k]:.2f}"


def test_classes_have_names_and_colours(exported):
    _, path, _ = exported
    labels = load_labels("camvid11")
    [[context]] = component(path, f"{NODE}/segmentation", "AnnotationContext:context")
    found = [entry["class_description"]["info"] for entry in context]
    assert [info["label"] for info in found] == list(labels.names)
    colours = np.array([[info["color"] >> shift & 255 for shift in (24, 16, 8)] for info in found])
    assert np.array_equal(colours, labels.palette)
    [[masks]] = component(path, f"{NODE}/unreliable", "AnnotationContext:context")
    assert [entry["class_id"] for entry in masks] == [0, 128, 255]


def test_the_layout_shows_the_camera_with_what_is_flagged(exported):
    _, path, _ = exported
    reader = RrdReader(path)
    [blueprint] = reader.blueprints()
    text = "".join(str(c.to_record_batch().to_string(preview_cols=100)) for c in reader.stream(store=blueprint))
    flagged = ", ".join(f'"{topic}"' for topic in (CAMERA, *(f"{NODE}/{o}" for o in ("ood", "unreliable", "segments"))))
    assert f"[{flagged}]" in text.replace(",", ", ")
    for origin in ("segmentation", "entropy", "overlay", "numbers/share", "numbers/count", "numbers/threshold"):
        assert f'space_origin: [["{NODE}/{origin}"]]' in text
    assert '[["stamp"]]' in text


def test_progress_counts_the_messages_that_are_shown(exported):
    bag, path, seen = exported
    frames = len(drive_results()[1])
    assert seen == list(range(1, 1 + 1 + frames * len(TOPICS)))
    assert count_messages(bag) == seen[-1]
    assert [p.name for p in path.parent.iterdir()] == ["drive.rrd"]


def test_floats_and_compressed_images_pass_unchanged(tmp_path):
    _, results = drive_results()
    write_rrd(write_bag(tmp_path / "bag", drive_messages("32FC1", compressed=True)), tmp_path / "a.rrd")
    found = pixels(tmp_path / "a.rrd", f"{NODE}/entropy", "DepthImage")
    for i, result in enumerate(results):
        assert np.array_equal(found[i].view(np.float32), result.maps.entropy.numpy())
        assert np.array_equal(pictures(tmp_path / "a.rrd", CAMERA)[i], result.frame.image)
        assert numbers(tmp_path / "a.rrd", "share/entropy_mean")[i] == pytest.approx(float(result.maps.entropy.mean()))


def test_thresholds_come_from_the_diagnostics(tmp_path):
    kind, data = diagnostics({"pixel": "0.6", "ood": "n/a", "ood_meta": "0.25", "pixel policy": "fixed"})
    bag = write_bag(tmp_path / "bag", [*drive_messages(), ("/diagnostics", kind, 9 * SECOND, data)])
    write_rrd(bag, tmp_path / "a.rrd")
    assert numbers(tmp_path / "a.rrd", "threshold/pixel") == [pytest.approx(0.75), 0.6]
    assert numbers(tmp_path / "a.rrd", "threshold/ood_meta") == [0.25]
    assert not columns(tmp_path / "a.rrd", f"{NODE}/numbers/threshold/ood")


def test_what_cannot_be_read_becomes_text_and_the_rest_is_shown(tmp_path):
    strange = image_cdr(ImageFields("mono8", np.zeros((2, 2), np.uint8)), HeaderFields(4)).replace(b"mono8", b"mono9")
    short = labels_cdr(label_fields(("a",), 0.5), HeaderFields())[:20]
    messages = [(CAMERA, IMAGE, SECOND, strange), (f"{NODE}/label_info", LABELS, SECOND, short), *drive_messages()]
    write_rrd(write_bag(tmp_path / "bag", messages), tmp_path / "a.rrd")
    assert "encoding 'mono9'" in component(tmp_path / "a.rrd", f"{CAMERA}/refused", "TextLog:text")[0][0]
    assert "label_info" in component(tmp_path / "a.rrd", f"{NODE}/label_info/refused", "TextLog:text")[0][0]
    assert len(pictures(tmp_path / "a.rrd", CAMERA)) == len(drive_results()[1])


def test_a_bag_of_cameras_alone_without_stamps(tmp_path):
    image = image_cdr(ImageFields("mono8", np.full((16, 16), 200, np.uint8)), HeaderFields())
    write_rrd(write_bag(tmp_path / "bag", [("/left", IMAGE, SECOND, image)]), tmp_path / "a.rrd")
    there = columns(tmp_path / "a.rrd", "/left")
    assert there["recorded"] == there["stamp"] == [np.datetime64(SECOND, "ns")]
    assert pictures(tmp_path / "a.rrd", "/left")[0].mean() == pytest.approx(200, abs=2)


def test_what_is_no_such_bag_is_refused_and_leaves_no_file(tmp_path, monkeypatch):
    other = write_bag(tmp_path / "other", [("/info", *reversed_label())])
    with pytest.raises(SourceError, match=r"holds neither images nor outputs.*/info"):
        write_rrd(other, tmp_path / "out" / "a.rrd")
    with pytest.raises(SourceError, match="cannot be read as a bag"):
        write_rrd(tmp_path, tmp_path / "out" / "a.rrd")
    bag = write_bag(tmp_path / "bag", drive_messages())
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="cannot be written there"):
        write_rrd(bag, tmp_path / "file" / "a.rrd")
    monkeypatch.setenv("RERUN", "off")
    with pytest.raises(ExportError, match="environment variable RERUN"):
        write_rrd(bag, tmp_path / "out" / "a.rrd")
    assert not (tmp_path / "out").exists()
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(ExportError, match=r"pip install rerun-sdk.*\[rerun\]"):
        write_rrd(bag, tmp_path / "a.rrd")


def reversed_label():
    return LABELS, SECOND, labels_cdr(label_fields(("a",), 0.5), HeaderFields())


def test_a_failure_on_the_way_leaves_no_file(tmp_path):
    bag = write_bag(tmp_path / "bag", drive_messages())

    def stop(done):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_rrd(bag, tmp_path / "out" / "a.rrd", stop)
    assert not list((tmp_path / "out").iterdir())
