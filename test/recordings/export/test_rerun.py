"""A bag as a recording for the Rerun viewer, read back with Rerun's own reader."""

import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from trust_seg_ros.bags.errors import SourceError
from trust_seg_ros.drawing.wording import percent, unknown_object
from trust_seg_ros.messages.detections import TRACK_RESULTS
from trust_seg_ros.messages.fields import HeaderFields, MessageOptions, label_fields
from trust_seg_ros.messages.outputs import OUTPUTS
from trust_seg_ros.messages.render import ImageFields, Rendering
from trust_seg_ros.recordings.export.rerun import ExportError, count_messages, write_rrd
from trust_seg_ros.recordings.replay.message_types import IMAGE, LABELS
from trust_seg_ros.recordings.replay.serialise import image_cdr, labels_cdr
from trust_seg_ros.segmentation.labels import load_labels
from trust_seg_ros.types import Frame, SegmentTracks

pytest.importorskip("rerun", reason="needs rerun-sdk")
pytest.importorskip("rosbags", reason="needs the library rosbags")
from drive_bags import (
    CAMERA,
    NODE,
    SECOND,
    TOPICS,
    diagnostics,
    drive_messages,
    drive_results,
    frame_messages,
    write_bag,
)
from rerun.chunk import RrdReader
from trust_frames import but

from trust_seg_ros.recordings.export.rerun_tracks import track_colour


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rerun")
    bag = write_bag(folder / "bag", drive_messages())
    seen = []
    assert write_rrd(bag, folder / "new" / "drive.rrd", seen.append) == ""
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
        first = f"not {names[result.segments.class_ids[0]]}, {percent(result.trust.p_wrong[0])}"
        assert labels[i][0].startswith(first)
        assert f"IoU {result.trust.iou[0]:.2f}" in labels[i][0]
        for k, label in zip(np.flatnonzero(result.ood.kept), labels[i][len(result.segments) :], strict=True):
            read_as = names[result.ood.class_ids[k]]
            assert label == f"{unknown_object(result.ood.p_ood[k])} (read as {read_as})"


def test_a_track_keeps_its_colour_and_boxes_tell_its_number(tmp_path):
    names, results = drive_results()
    result, messages = results[0], []
    n, m = len(result.segments), len(result.ood.kept)

    def tracks(first, count):
        seen, born = np.full(count, 3, np.int32), np.full(count, SECOND // 2)
        return SegmentTracks(
            np.arange(first, first + count), seen, born, np.full((count, 2), 4.0), np.zeros(count), SECOND
        )

    for step in range(2):  # the numbers move on by one: another box has each
        tracked = but(result, tracks=tracks(7 + step, n), ood_tracks=tracks(7 + step, m))
        messages += frame_messages(replace(tracked, frame=Frame(result.frame.image, (step + 1) * SECOND)), names)
    write_rrd(write_bag(tmp_path / "bag", messages), tmp_path / "a.rrd")
    path, entity = tmp_path / "a.rrd", f"{NODE}/segments"
    ids = columns(path, entity)["track"]
    ids = [one for one in ids if one is not None]
    labels = component(path, entity, "Boxes2D:labels")
    colours = [
        dict(zip(i, c, strict=True)) for i, c in zip(ids, component(path, entity, "Boxes2D:colors"), strict=True)
    ]
    assert ids[0][:2] == ["7", "8"]
    assert sum(number.startswith("ood_") for number in ids[0]) == result.ood.kept.sum() > 0
    assert len(colours) == 2
    both = colours[0].keys() & colours[1].keys()
    assert len(both) > n - 2
    assert {number: colours[0][number] for number in both} == {number: colours[1][number] for number in both}
    assert len(set(colours[0].values())) > 0.8 * len(colours[0])
    for number, label in zip(ids[0], labels[0], strict=True):
        assert label.startswith(f"{number}: {'unknown' if number.startswith('ood_') else 'not '}") or "maybe" in label
        assert not any(name in label for name in TRACK_RESULTS)
    [pixel_ids, *_] = [one for one in columns(path, entity)["pixel_id"] if one is not None]
    assert pixel_ids[:n] == list(range(1, n + 1))
    [ages, *_] = [one for one in columns(path, entity)["track_age_s"] if one is not None]
    assert set(ages) == {0.5}


def test_colours_of_tracks_tell_their_kind():
    for k in range(1, 200):
        red, green, blue = track_colour(str(k))
        assert red > blue and red > 100, k  # noqa: PT018
        red, green, blue = track_colour(f"ood_{k}")
        assert max(green, blue) > red, k
    assert track_colour("5") != track_colour("ood_5")


def test_without_tracking_no_box_has_a_track(exported):
    assert "track" not in columns(exported[1], f"{NODE}/segments")


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
    messages = [
        (CAMERA, IMAGE, SECOND, strange),
        (CAMERA, IMAGE, SECOND + 1, b"\0\3\0\0"),
        (f"{NODE}/label_info", LABELS, SECOND, short),
        *drive_messages(),
    ]
    write_rrd(write_bag(tmp_path / "bag", messages), tmp_path / "a.rrd")
    first, second = component(tmp_path / "a.rrd", f"{CAMERA}/refused", "TextLog:text")
    assert "encoding 'mono9'" in first[0]
    assert "representation 0003" in second[0]
    assert "label_info" in component(tmp_path / "a.rrd", f"{NODE}/label_info/refused", "TextLog:text")[0][0]
    assert len(pictures(tmp_path / "a.rrd", CAMERA)) == len(drive_results()[1])


def test_a_bag_of_cameras_alone_without_stamps(tmp_path):
    image = image_cdr(ImageFields("mono8", np.full((16, 16), 200, np.uint8)), HeaderFields())
    write_rrd(write_bag(tmp_path / "bag", [("/left", IMAGE, SECOND, image)]), tmp_path / "a.rrd")
    there = columns(tmp_path / "a.rrd", "/left")
    assert there["recorded"] == there["stamp"] == [np.datetime64(SECOND, "ns")]
    assert pictures(tmp_path / "a.rrd", "/left")[0].mean() == pytest.approx(200, abs=2)


def test_what_is_no_such_bag_is_refused_and_leaves_no_file(tmp_path, monkeypatch):
    other = write_bag(tmp_path / "other", [("/info", *labels_alone())])
    with pytest.raises(SourceError, match=r"holds neither images nor outputs.*/info"):
        write_rrd(other, tmp_path / "out" / "a.rrd")
    with pytest.raises(SourceError, match="holds no storage files of a bag"):
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
    with pytest.raises(ExportError, match=r'pip install "rerun-sdk>=0\.24".*\[viewer\]'):
        write_rrd(bag, tmp_path / "a.rrd")


def labels_alone():
    return LABELS, SECOND, labels_cdr(label_fields(("a",), 0.5), HeaderFields())


def test_a_bag_that_breaks_off_is_shown_as_far_as_it_goes(tmp_path, exported):
    bag, _, seen = exported
    [storage] = bag.glob("*.mcap")
    (tmp_path / "half.mcap").write_bytes(storage.read_bytes()[: storage.stat().st_size * 2 // 3])
    done = []
    damage = write_rrd(tmp_path / "half.mcap", tmp_path / "a.rrd", done.append)
    assert "half.mcap" in damage
    assert 0 < len(done) < len(seen)
    whole = pixels(exported[1], f"{NODE}/segmentation", "SegmentationImage")
    found = pixels(tmp_path / "a.rrd", f"{NODE}/segmentation", "SegmentationImage")
    assert 0 < len(found) < len(whole)
    assert all(np.array_equal(a, b) for a, b in zip(found, whole, strict=False))


def test_a_failure_on_the_way_leaves_no_file(tmp_path):
    bag = write_bag(tmp_path / "bag", drive_messages())

    def stop(done):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_rrd(bag, tmp_path / "out" / "a.rrd", stop)
    assert not list((tmp_path / "out").iterdir())
