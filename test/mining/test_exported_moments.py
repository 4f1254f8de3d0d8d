"""Exports are complete or not there, at the edges of what a network can see, too."""

import json
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from library_results import LABELS, blocks, made
from moments import moment, seen

from trust_seg_ros.library import ExportError
from trust_seg_ros.library.masks import one_ring, polygons
from trust_seg_ros.mining.exports import EXPORTS, write_export
from trust_seg_ros.mining.exports.brush import packed, unpacked
from trust_seg_ros.mining.moment import Moment
from trust_seg_ros.mining.returns.coco import compressed_lengths
from trust_seg_ros.mining.returns.shapes import polygon
from trust_seg_ros.segmentation.labels import LabelSet, load_labels

FORMS = list(EXPORTS)


def write(form, moments, folder, **more):
    moments = list(moments)
    return write_export(form, iter(moments), LABELS, folder, total=len(moments), **more)


@pytest.mark.parametrize("form", FORMS)
def test_no_segment_and_one_pixel(form, tmp_path):
    done = write(form, [moment("none", np.full((3, 4), 255)), moment("pixel", np.zeros((1, 1)))], tmp_path / "out")
    assert (done.images, done.segments, done.unknown_objects) == (2, 1, 0)
    images = tmp_path / "out" / EXPORTS[form].images
    assert sorted(path.name for path in images.iterdir()) == ["none.png", "pixel.png"]
    assert load_labels(tmp_path / "out" / "label_set.yaml") == LABELS
    steps = (tmp_path / "out" / "README.txt").read_text().splitlines()
    assert [line[:2] for line in steps if line[:1].isdigit()] == ["1.", "2.", "3."]
    assert any(f"trust-seg labels EXPORT --from {form} " in line for line in steps)


@pytest.mark.parametrize("form", FORMS)
def test_an_export_that_stops_is_not_there(form, tmp_path):
    def stopping():
        yield moment("first", blocks())
        assert not (tmp_path / "out").exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_export(form, stopping(), LABELS, tmp_path / "out", total=2)
    assert list(tmp_path.iterdir()) == []


def test_moments_are_written_one_by_one(tmp_path):
    told, alive = [], []

    def moments():
        for number in range(3):
            assert len(told) == number  # the one before is written
            alive.append(number)
            yield moment(f"m{number}", blocks(number))

    write_export("coco", moments(), LABELS, tmp_path / "out", total=3, progress=lambda *n: told.append(n))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert alive == [0, 1, 2]


def test_what_is_refused(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ExportError, match=r"no form of export 'cavt'; choose one of: cvat, .*did you mean cvat"):
        write("cavt", [moment("a", blocks())], out)
    with pytest.raises(ExportError, match="there is nothing to write: no moment was chosen"):
        write("coco", [], out)
    with pytest.raises(ExportError, match=r"moments 1 and 3 are both called 'é'; expected different names"):
        write("coco", [moment("é", blocks()), moment("b", blocks()), moment("e\u0301", blocks())], out)
    with pytest.raises(ExportError, match=r"moment 'b' has the classes of 'x', others than the export's \('three'\)"):
        write("coco", [moment("b", blocks(), labels=LabelSet("x", ("a", "b", "c")))], out)
    with pytest.raises(ExportError, match="needs segments"):
        write("coco", [moment("b", blocks(), segments=False)], out)
    for name in ("", " a", "a/b", "../a", ".a", "a\nb", "a\\b", "x" * 201):
        with pytest.raises(ExportError, match="cannot be the name of a picture; expected 1 to 200 bytes"):
            write("coco", [moment(name, blocks())], out)
    assert not out.exists()
    out.mkdir()
    (out / "mine").write_text("")
    with pytest.raises(ExportError, match="there is something already; expected a new or empty folder"):
        write("coco", [moment("a", blocks())], out)
    with pytest.raises(ExportError, match="cannot be written"):
        write("coco", [moment("a", blocks())], out / "mine" / "below")
    assert (out / "mine").exists()


def test_images_are_lossless_or_the_file_they_come_from(tmp_path):
    result = made(blocks())
    bgr = np.ascontiguousarray(result.frame.image[..., ::-1])
    jpeg = cv2.imencode(".jpg", bgr)[1].tobytes()
    (tmp_path / "own.jpg").write_bytes(jpeg)
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    turned = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    (tmp_path / "turned.jpg").write_bytes(turned)
    from trust_seg_ros.datasets.image_files import read_image

    pixels = read_image(tmp_path / "own.jpg")
    for name in ("own.jpg", "turned.jpg"):
        frame = made(blocks(), name=str(tmp_path / name))
        frame.frame.image[:] = pixels
        write("coco", [Moment("m", frame, "s", None, 1, 0.5, "w")], tmp_path / name[:-4])
    assert (tmp_path / "own" / "images" / "m.jpg").read_bytes() == jpeg
    kept = cv2.imread(str(tmp_path / "turned" / "images" / "m.png"))[..., ::-1]
    assert (kept == pixels).all()
    write("coco", [Moment("m", made(blocks(), name=str(tmp_path / "own.jpg")), "s", None, 1, 0.5, "w")], tmp_path / "x")
    assert (cv2.imread(str(tmp_path / "x/images/m.png"))[..., ::-1] == result.frame.image).all()  # another image


def thousands():
    classes = np.kron(np.arange(10_000).reshape(100, 100) % 2, np.ones((3, 4)))
    classes[:, ::4] = classes[::3] = 255
    return classes


@pytest.mark.parametrize("form", FORMS)
def test_ten_thousand_segments_cost_what_they_are(form, tmp_path):
    """Per segment no more than 20 times what a fiftieth of them cost in an image as large: nothing is squared."""
    few = thousands()
    few[6:] = 255
    times = []
    for name, classes in (("warm", few), ("few", few), ("many", thousands())):
        sent = moment(name, classes)
        start = time.process_time()
        done = write(form, [sent], tmp_path / name)
        times.append((time.process_time() - start) / done.segments)
    assert done.segments == 10_000
    assert times[2] < 20 * times[1]


def test_trust_and_reasons_are_in_the_files(tmp_path):
    one = moment("a", blocks(), unknown=blocks(3) == 0)
    p_wrong = round(one.result.segments[0].p_wrong, 4)
    for form in ("cvat", "labelstudio", "fiftyone", "coco"):
        write(form, [one], tmp_path / form)
    coco = json.loads((tmp_path / "coco/annotations/instances_default.json").read_text("utf-8"))
    assert coco["annotations"][0]["attributes"]["p_wrong"] == p_wrong
    assert coco["annotations"][-1]["attributes"] == {
        "p_wrong": None,
        "iou": None,
        "p_ood": 0.8,
        "unreliable": False,
        "unknown": True,
    }
    assert (coco["images"][0]["rank"], coco["images"][0]["why"]) == (1, one.why)
    from xml.etree import ElementTree

    root = ElementTree.parse(tmp_path / "cvat/annotations.xml").getroot()
    told = {a.get("name"): a.text for a in root.find("image/tag")}
    assert (told["why"], told["rank"], told["stamp_ns"]) == (one.why, "1", "1000000")
    assert root.find("image/mask/attribute[@name='p_wrong']").text == str(p_wrong)
    labels = json.loads((tmp_path / "cvat/cvat_labels.json").read_text("utf-8"))
    assert [label["name"] for label in labels] == [*LABELS.names, "unknown object", "trust_seg"]
    (task,) = json.loads((tmp_path / "labelstudio/tasks.json").read_text("utf-8"))
    assert task["data"]["image"] == "/data/local-files/?d=images/a.png"
    assert task["predictions"][0]["result"][0]["meta"]["p_wrong"] == p_wrong
    compile((tmp_path / "fiftyone/load.py").read_text("utf-8"), "load.py", "exec")


@pytest.mark.parametrize("seed", range(20))
def test_masks_as_polygons_brush_and_run_lengths_are_exact(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(1, 20, 2)) < rng.choice([0.2, 0.5, 0.9])
    mask[0, 0] = True
    height, width = size = (mask.shape[0] + 5, mask.shape[1] + 3)
    box = (2, 4, 2 + mask.shape[1], 4 + mask.shape[0])
    whole = np.zeros(size, bool)
    whole[4 : 4 + mask.shape[0], 2 : 2 + mask.shape[1]] = mask
    rings = polygons(mask, box, holes=True)
    odd = sum(np.bincount(polygon(ring, size), minlength=height * width) for ring in rings) % 2
    assert (odd == whole.ravel()).all()
    assert (np.sort(polygon(one_ring(rings), size)) == np.flatnonzero(whole)).all()
    assert (unpacked(bytes(packed(mask, box, size)), size) == whole).all()
    from trust_seg_ros.library.masks import compressed, run_lengths

    lengths = run_lengths(mask, box, size)
    assert compressed_lengths(compressed(lengths)).tolist() == lengths


def test_the_brush_takes_large_images_and_refuses_damage():
    mask = np.zeros((300, 400), bool)
    mask[100:250, 50:399] = True
    data = bytes(packed(mask, (0, 0, 400, 300), (300, 400)))
    assert (unpacked(data, (300, 400)) == mask).all()
    for damaged, size in ((data[:-9], (300, 400)), (data, (400, 301)), (b"", (300, 400)), (data[:10], (300, 400))):
        with pytest.raises(ValueError, match="mask"):
            unpacked(damaged, size)


def test_the_documentation_has_every_form():
    from places import ROOT

    page = (Path(ROOT) / "docs" / "labels.md").read_text("utf-8")
    assert all(f"| `{form}` |" in page for form in FORMS)
    assert seen(moment("a", blocks())).shape == (24, 32)
