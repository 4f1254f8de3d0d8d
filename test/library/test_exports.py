"""Exports are read by the libraries that they are for, and say what the result says."""

import base64
import csv
import io
import json
import sys

import cv2
import numpy as np
import pytest
from library_results import LABELS, blocks, made
from scipy import ndimage

from trust_seg_ros import TrustSegError
from trust_seg_ros.library import ExportError
from trust_seg_ros.segmentation.labels import LabelSet

NAMES = (*LABELS.names, "unknown object")


@pytest.fixture(scope="module")
def result():
    return made(blocks(), unknown=blocks(3) == 0, size=(48, 64))


EDGES = {
    "no segment": made(np.full((5, 7), 255), unknown=np.zeros((5, 7))),
    "one pixel": made(np.zeros((1, 1)), unknown=np.ones((1, 1))),
    "image below the grid": made(blocks(), size=(3, 4), unknown=blocks(3) == 0),
    "no meta model": made(blocks(), judged=False, unknown=blocks(3) == 0, p_ood=None),
    "no objects asked for": made(blocks()),
}


def masks_of(result):
    """The masks that an export holds, in order."""
    segments = [s.mask for s in result.segments if s.area]
    return [*segments, *(thing.mask for thing in result.unknown_objects if thing.area)]


def opened(data, tmp_path):
    """The data set as pycocotools opens it."""
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(data, allow_nan=False, ensure_ascii=False), "utf-8")
    return coco.COCO(str(path))


@pytest.mark.parametrize("name", [None, *EDGES])
def test_pycocotools_reads_coco(result, name, tmp_path):
    result = EDGES.get(name, result)
    data = result.to_coco()
    found = opened(data, tmp_path)
    expected = masks_of(result)
    assert [c["name"] for c in found.loadCats(found.getCatIds())] == list(NAMES)
    assert len(found.anns) == len(expected)
    for annotation, mask in zip(found.loadAnns(found.getAnnIds()), expected, strict=True):
        assert (found.annToMask(annotation) == mask).all()
        assert annotation["area"] == mask.sum()
        rows, columns = np.nonzero(mask)
        width, height = np.ptp(columns) + 1, np.ptp(rows) + 1
        assert annotation["bbox"] == [columns.min(), rows.min(), width, height]


def test_coco_says_how_far_to_trust(result):
    data = result.to_coco()
    segments = [a for a in data["annotations"] if a["category_id"] <= 3]
    for annotation, segment in zip(segments, result.segments, strict=True):
        assert annotation["score"] == 1 - segment.p_wrong
        assert annotation["attributes"] == {
            "p_wrong": segment.p_wrong,
            "iou": segment.iou,
            "unreliable": segment.unreliable,
        }
    others = data["annotations"][len(segments) :]
    assert {a["score"] for a in others} == {0.8}
    assert EDGES["no meta model"].to_coco()["annotations"][-1]["score"] is None
    first = EDGES["no meta model"]
    assert first.to_coco()["annotations"][0]["score"] == 1 - first.segments.column("V")[0]


def test_polygons_of_coco_hold_the_segments(tmp_path):
    classes = blocks()
    found = opened(made(classes).to_coco(masks="polygons"), tmp_path)
    result = made(classes)
    for annotation, segment in zip(found.loadAnns(found.getAnnIds()), result.segments, strict=True):
        mask = found.annToMask(annotation).astype(bool)
        assert mask[segment.mask].all()  # holes are filled


def test_many_results_make_one_data_set(result, tmp_path):
    data = None
    for frame in (result, made(blocks(7)), result):
        before = json.dumps(data)
        longer = frame.to_coco(into=data)
        assert json.dumps(data) == before  # what was given stays as it was
        data = longer
    found = opened(data, tmp_path)
    assert len(found.imgs) == 3
    assert len(found.anns) == len(data["annotations"])
    assert len(found.getAnnIds(imgIds=[1])) == len(found.getAnnIds(imgIds=[3])) == len(masks_of(result))
    with pytest.raises(ExportError, match="other categories"):
        made(blocks(), labels=LabelSet("x", ("a", "b", "c"))).to_coco(into=data)
    with pytest.raises(ExportError, match="masks = 'polygon': expected one of rle, polygons; did you mean polygons"):
        result.to_coco(masks="polygon")


@pytest.mark.parametrize("name", [None, *EDGES])
def test_supervision_takes_masks_boxes_classes_and_confidence(result, name):
    sv = pytest.importorskip("supervision", reason="supervision is not installed")
    result = EDGES.get(name, result)
    found, expected = result.to_supervision(), masks_of(result)
    assert isinstance(found, sv.Detections)
    assert len(found) == len(expected)
    if not expected:
        return
    assert (found.mask == np.array(expected)).all()
    assert (found.area == [mask.sum() for mask in expected]).all()
    assert (sv.mask_to_xyxy(found.mask) == found.xyxy - [0, 0, 1, 1]).all()  # its boxes hold the last pixel
    assert found.data["class_name"].tolist() == [NAMES[k] for k in found.class_id]
    unsure = found[found.data["unreliable"]]
    assert len(unsure) == len([s for s in result.segments.unreliable() if s.area])
    picture = sv.MaskAnnotator().annotate(result.frame.image.copy(), found)
    assert picture.shape == result.frame.image.shape


def test_supervision_reads_the_coco_file_too(result, tmp_path):
    sv = pytest.importorskip("supervision", reason="supervision is not installed")
    cv2.imwrite(str(tmp_path / "a b.png"), result.frame.image)
    data = result.to_coco()
    data["images"][0]["file_name"] = "a b.png"
    (tmp_path / "coco.json").write_text(json.dumps(data))
    loaded = sv.DetectionDataset.from_coco(str(tmp_path), str(tmp_path / "coco.json"), force_masks=True)
    (_, _, found) = next(iter(loaded))
    assert loaded.classes == list(NAMES)
    assert (np.asarray(found.mask) == np.array(masks_of(result))).all()


def test_too_many_masks_are_refused_with_the_way_out(result, monkeypatch):
    pytest.importorskip("supervision", reason="supervision is not installed")
    monkeypatch.setattr("trust_seg_ros.library.detections._MOST_BYTES", 10_000)
    with pytest.raises(ExportError, match=r"masks of \d+ segments of 64×48 .*to_supervision\(min_area=100\)"):
        result.to_supervision()


@pytest.mark.parametrize("name", [None, *EDGES])
def test_pandas_has_one_row_for_each_segment(result, name):
    pytest.importorskip("pandas", reason="pandas is not installed")
    result = EDGES.get(name, result)
    found, segments = result.to_pandas(), result.segments
    assert len(found) == len(segments)
    assert found["class_name"].tolist() == [s.class_name for s in segments]
    assert (found["right"] > found["left"]).all()
    assert found["area"].tolist() == [s.area for s in segments]
    assert list(found.columns[-3:]) == list(segments.names)
    assert ("p_wrong" in found) == (segments.trust is not None)


@pytest.mark.parametrize("name", [None, *EDGES])
def test_labelme_paints_the_class_map_again(result, name):
    """As labelme's own shapes_to_label does it: one shape after the other, later ones over earlier ones."""
    result = EDGES.get(name, result)
    data = json.loads(json.dumps(result.to_labelme(), allow_nan=False))
    painted = np.zeros((4 * data["imageHeight"], 4 * data["imageWidth"]), np.uint8)
    for shape in data["shapes"]:
        assert shape["shape_type"] == "polygon"
        corners = np.array(shape["points"]) * 4
        # OpenCV colours the pixels on the border of a polygon, too: leave them out at the right and below
        cv2.fillPoly(painted, [np.round(corners).astype(np.int32)], NAMES.index(shape["label"]) + 1)
    centres = painted[2::4, 2::4]
    expected = np.where(result.segments.ids > 0, result.maps.classes.numpy() + 1, 0)
    for thing in result.unknown_objects:
        expected[thing.mask] = 4
    holes = expected == 0  # pixels of no class inside a segment are filled, and what lies inside an unknown object
    for thing in result.unknown_objects:
        holes |= ndimage.binary_fill_holes(thing.mask) & (expected != 4)
    assert (centres[~holes] == expected[~holes]).all()
    assert data["imageHeight"], data["imageWidth"] == result.size


def test_labelme_finds_its_image_or_has_it_inside(tmp_path):
    path = tmp_path / "ein Foto.png"
    inside = made(blocks()).to_labelme()
    assert cv2.imdecode(np.frombuffer(base64.b64decode(inside["imageData"]), np.uint8), 1).shape == (24, 32, 3)
    cv2.imwrite(str(path), np.zeros((24, 32, 3), np.uint8))
    beside = made(blocks(), name=str(path)).to_labelme()
    assert (beside["imagePath"], beside["imageData"]) == ("ein Foto.png", None)
    assert made(blocks(), name=str(path)).to_labelme(embed=True)["imageData"]
    flagged = [shape for shape in beside["shapes"] if shape["flags"]]
    assert all(shape["description"].startswith(f"not {shape['label']}, ") for shape in flagged)


def test_ten_thousand_segments_are_exported(tmp_path):
    classes = np.kron(np.arange(10_000).reshape(100, 100) % 2, np.ones((3, 4)))
    classes[:, ::4] = classes[::3] = 255
    result = made(classes, labels=LabelSet("two", ("a", "b")))
    assert len(result.segments) == 10_000
    assert len(result.to_coco()["annotations"]) == 10_000
    assert len(result.to_coco(min_area=7)["annotations"]) == 0
    assert len(result.to_labelme()["shapes"]) == 10_000
    assert len(result.save(tmp_path / "s.csv").read_text().splitlines()) == 10_001
    page = result._repr_html_()
    assert page.count("<tr>") == 9  # of thousands the least trusted
    assert len(page) < 2_000_000  # most of it the picture, which is of noise here


def test_a_class_may_be_called_like_an_unknown_object():
    names = [
        c["name"] for c in made(blocks(), labels=LabelSet("x", ("a", "b", "unknown object"))).to_coco()["categories"]
    ]
    assert names[-2:] == ["unknown object", "unknown object (trust)"]


def test_a_missing_library_is_named_with_its_extra(result, monkeypatch):
    for library, export in (("pandas", result.to_pandas), ("supervision", result.to_supervision)):
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(ExportError, match=rf"needs the library {library}; install it: .*pip install .*\[export\]"):
            export()


def test_without_segments_exports_say_so():
    bare = made(blocks(), segments=False)
    assert bare.segments is None
    for export in (bare.to_coco, bare.to_pandas, bare.to_supervision, bare.to_labelme):
        with pytest.raises(ExportError, match=r"needs segments, .* leave them in Wanted"):
            export()
    assert "segments" not in repr(bare)
    assert bare.plot().shape[2] == 3


@pytest.mark.parametrize("name", [None, *EDGES])
def test_every_ending_is_written(result, name, tmp_path):
    result = EDGES.get(name, result)
    for ending in ("png", "JPG", "csv", "json", "npz"):
        path = result.save(tmp_path / "new folder" / f"out.{ending}")
        assert path.stat().st_size > 50
    rows = list(csv.DictReader(io.StringIO((tmp_path / "new folder/out.csv").read_text("utf-8"))))
    assert [row["class_name"] for row in rows] == [s.class_name for s in result.segments]
    assert json.loads((tmp_path / "new folder/out.json").read_text("utf-8")) == result.to_coco()
    arrays = np.load(tmp_path / "new folder/out.npz")
    assert (arrays["segment_ids"] == result.segments.ids).all()
    assert (arrays["entropy"] == result.maps.entropy.numpy()).all()
    assert arrays["class_names"].tolist() == list(LABELS.names)


def test_files_that_cannot_be_written_are_refused(result, tmp_path):
    with pytest.raises(
        ExportError, match=r"out.txt: the ending says what is written; expected one of \.png \(the pict"
    ):
        result.save(tmp_path / "out.txt")
    with pytest.raises(ExportError, match="expected one of these endings"):
        result.plot().save(tmp_path / "out.csv")
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        result.save(tmp_path / "file" / "out.csv")
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"mine")
    with pytest.raises(TrustSegError, match="is the image that was judged, and would be overwritten"):
        made(blocks(), name=str(photo)).save(photo)
    assert photo.read_bytes() == b"mine"
