"""Labels that come back otherwise than they went: other classes, sizes, files, as docs/labels.md says."""

import json
import shutil
import zipfile

import cv2
import numpy as np
import pytest
from library_results import LABELS
from moments import moment, read_back

from trust_seg_ros.mining.exports import write_export
from trust_seg_ros.mining.returns import ReturnedError, return_table, write_labels

SQUARE = [1, 1, 4, 1, 4, 3, 1, 3]  # columns 1 to 3, rows 1 and 2
ALL = [0, 0, 8, 0, 8, 6, 0, 6]


def picture(folder, name="a.png", size=(6, 8)):
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / name), np.full((*size, 3), 99, np.uint8))
    return folder


def coco(path, regions, *, size=(6, 8), name="a.png", categories=(*LABELS.names, "unknown object")):
    """A COCO file of one image; regions are (name of category, segmentation)."""
    categories = [{"id": 7 + 3 * k, "name": c} for k, c in enumerate(categories)][::-1]
    ids = {c["name"]: c["id"] for c in categories}
    annotations = [
        {"id": k, "image_id": 5, "category_id": ids[c], "segmentation": s} for k, (c, s) in enumerate(regions)
    ]
    image = {"id": 5, "file_name": name, "height": size[0], "width": size[1]}
    path.write_text(json.dumps({"images": [image], "annotations": annotations, "categories": categories}))
    return path


def cvat(path, body, head="", name="a.png", size=(6, 8)):
    image = f'<image id="0" name="{name}" width="{size[1]}" height="{size[0]}">{body}</image>'
    path.write_text(f'<?xml version="1.0"?>{head}<annotations><version>1.1</version>{image}</annotations>', "utf-8")
    return path


def tasks(path, result, **more):
    task = {"id": 3, "data": {"image": "/data/upload/1/0123abcd-a.png"}, "annotations": [{"result": result}], **more}
    path.write_text(json.dumps([task]))
    return path


def region(**more):
    value = {"points": [[12.5, 100 / 6], [50, 100 / 6], [50, 50], [12.5, 50]], "polygonlabels": ["Road"]}
    return {"type": "polygonlabels", "original_width": 8, "original_height": 6, "value": value, **more}


def back(export, tmp_path, labels=LABELS, **more):
    images = picture(tmp_path / "images") if not (tmp_path / "images").exists() else tmp_path / "images"
    return write_labels(export, labels, tmp_path / "set", images=images, **more)


def values(tmp_path):
    return read_back(tmp_path / "set", ["a"])["a"]


def square(value, rest=255):
    found = np.full((6, 8), rest)
    found[1:3, 1:4] = value
    return found


def test_classes_are_matched_by_name_whatever_their_numbers(tmp_path):
    done = back(coco(tmp_path / "x.json", [("Straßenbahn 路", [SQUARE])]), tmp_path)
    assert (values(tmp_path) == square(2)).all()
    assert (done.form, done.images, done.with_unknown, done.without_class) == ("coco", 1, 0, 42)
    assert not (tmp_path / "set" / "labels_masks").exists()


def test_pixels_without_a_label_have_no_class_and_unknown_objects_a_mask(tmp_path):
    back(coco(tmp_path / "x.json", [("unknown object", [SQUARE])]), tmp_path)
    assert (values(tmp_path) == square(3)).all()
    assert (cv2.imread(str(tmp_path / "set/labels/a.png"), 0) == 255).all()


def test_what_is_later_lies_on_top(tmp_path):
    back(coco(tmp_path / "x.json", [("Road", [SQUARE]), ("Straßenbahn 路", [ALL])]), tmp_path)
    assert (values(tmp_path) == 2).all()


def test_in_cvat_the_higher_lies_on_top_and_then_the_later(tmp_path):
    points = "0,0;8,0;8,6;0,6"
    high = '<mask label="unknown object" rle="0, 6" left="1" top="1" width="3" height="2" z_order="3"/>'
    low = f'<polygon label="Road" points="{points}" z_order="0"/><tag label="trust_seg"/>'
    back(cvat(tmp_path / "x.xml", f'{high}<polygon label="Straßenbahn 路" points="{points}"/>{low}'), tmp_path)
    assert (values(tmp_path) == square(3, rest=0)).all()


def test_other_names_are_listed_with_the_way_out_and_can_be_renamed(tmp_path):
    names = ("street", "car", *LABELS.names)
    export = coco(tmp_path / "x.json", [("car", [ALL]), ("street", [SQUARE])], categories=names)
    with pytest.raises(ReturnedError, match=r"name 2 classes .*: 'car', 'street'; it has Road, .*--rename 'car'=CLASS"):
        back(export, tmp_path)
    assert not (tmp_path / "set").exists()
    back(export, tmp_path, renamed={"street": "road", "car": "ignore"})
    assert (values(tmp_path) == square(0)).all()
    with pytest.raises(
        ReturnedError, match=r"street=Raod: there is no class 'Raod'; expected one of .*did you mean Road"
    ):
        back(export, tmp_path, renamed={"street": "Raod"})


def test_case_does_not_matter_where_that_is_clear(tmp_path):
    export = coco(tmp_path / "x.json", [("road", [SQUARE])], categories=("road",))
    back(export, tmp_path)
    assert (values(tmp_path) == square(0)).all()


@pytest.mark.parametrize("size", [(8, 6), (12, 16), (5, 8)])
def test_labels_of_another_size_are_refused_and_never_turned(size, tmp_path):
    turned = ", as if it had been turned by 90°" if size == (8, 6) else "; labels are not scaled"
    match = rf"labels of 'a.png' are for {size[1]}×{size[0]} pixels, the image is 8×6{turned}"
    with pytest.raises(ReturnedError, match=match):
        back(coco(tmp_path / "x.json", [("Road", [SQUARE])], size=size), tmp_path)
    with pytest.raises(ReturnedError, match="the image is 8×6"):
        back(cvat(tmp_path / "x.xml", '<polygon label="Road" points="1,1;2,1;2,2"/>', size=size), tmp_path)
    sized = region(original_width=size[1], original_height=size[0])
    with pytest.raises(ReturnedError, match="the image is 8×6"):
        back(tasks(tmp_path / "y.json", [sized]), tmp_path)


def test_images_that_viewers_turn_are_refused(tmp_path):
    jpeg = cv2.imencode(".jpg", np.zeros((6, 8, 3), np.uint8))[1].tobytes()
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0"
    (tmp_path / "images").mkdir()
    turned = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    (tmp_path / "images" / "a.jpg").write_bytes(turned)
    with pytest.raises(ReturnedError, match=r"a.jpg: viewers show this image turned by 180° \(EXIF orientation 3\)"):
        back(coco(tmp_path / "x.json", [("Road", [SQUARE])], name="a.jpg"), tmp_path)


def test_images_without_labels_are_left_out_and_named(tmp_path):
    path = tmp_path / "x.json"
    coco(path, [("Road", [SQUARE])])
    data = json.loads(path.read_text())
    data["images"].append({"id": 6, "file_name": "gone.png", "height": 6, "width": 8})
    path.write_text(json.dumps(data))
    assert back(path, tmp_path).without == ("gone.png",)
    assert [p.name for p in (tmp_path / "set/images").iterdir()] == ["a.png"]
    with pytest.raises(ReturnedError, match=r"no image has a label \(1 have none\); .*were they saved, or submitted"):
        write_labels(coco(path, []), LABELS, tmp_path / "other", images=tmp_path / "images")


def test_label_studio_takes_the_last_submitted_annotation_and_no_prediction(tmp_path):
    shown = {"was_cancelled": True, "result": [region()]}
    export = tasks(tmp_path / "x.json", [], predictions=[{"result": [region()]}], annotations=[{"result": []}, shown])
    with pytest.raises(ReturnedError, match="no image has a label"):
        back(export, tmp_path)
    later = region()
    later["value"] = {**later["value"], "polygonlabels": ["unknown object"]}
    both = [{"result": [region()]}, {"result": [later, {"type": "choices", "value": {}}]}]
    back(tasks(tmp_path / "x.json", [], annotations=both), tmp_path)
    assert (values(tmp_path) == square(3)).all()


@pytest.mark.parametrize(
    ("more", "match"),
    [
        (
            {"type": "rectanglelabels", "value": {"rectanglelabels": ["Road"]}},
            "only brush and polygon say which pixels",
        ),
        ({"image_rotation": 90}, "image turned by 90°; turn it back"),
        ({"original_width": None}, "a region of an image of None×6; expected its size"),
        ({"value": {"polygonlabels": ["Road", "a"], "points": []}}, "expected one label: choose one"),
        ({"value": 3}, "the value of a region is 3"),
        ({"value": {"polygonlabels": ["Road"], "points": [["x", 1]]}}, "expected columns and rows as finite numbers"),
        ({"value": {"polygonlabels": ["Road"], "points": [[1, 1], [2, 2]]}}, "a polygon of 2 points"),
        (
            {"type": "brushlabels", "value": {"brushlabels": ["Road"], "format": "rle", "rle": [1, 2]}},
            "2 bytes of a mask",
        ),
        ({"type": "brushlabels", "value": {"brushlabels": ["Road"], "format": "rle", "rle": [999]}}, "cannot be read"),
    ],
)
def test_damaged_tasks_are_refused(more, match, tmp_path):
    with pytest.raises(ReturnedError, match=match):
        back(tasks(tmp_path / "x.json", [region(**more)]), tmp_path)


@pytest.mark.parametrize(
    ("segmentation", "match"),
    [
        ([], "a box says nothing about pixels: draw it"),
        (None, "a box says nothing about pixels: draw it"),
        ([[1, 1, 2]], "expected columns and rows as finite numbers"),
        ([[0, 0, 90, 0, 90, 6]], "reaches 82.0 pixels beyond the image of 8×6"),
        ([[0, 0, float("nan"), 0, 5, 5]], "expected columns and rows as finite numbers"),
        ({"size": [8, 6], "counts": [48]}, r"a mask of the size \[8, 6\]; expected \[6, 8\]"),
        ({"size": [6, 8], "counts": [40, 9]}, "run lengths of 49 pixels; expected 48"),
        ({"size": [6, 8], "counts": [60, -12]}, "expected 48"),
        ({"size": [6, 8], "counts": "\x00"}, "expected run lengths as pycocotools writes them"),
        ({"size": [6, 8], "counts": "ooooooooooooooooooo0"}, r"expected run lengths below 2\^50"),
        ({"size": [6, 8], "counts": None}, "expected run lengths as a text or a list"),
    ],
)
def test_damaged_regions_of_coco_are_refused(segmentation, match, tmp_path):
    with pytest.raises(ReturnedError, match=rf"'a.png', 'Road': .*{match}"):
        back(coco(tmp_path / "x.json", [("Road", segmentation)]), tmp_path, form="coco")


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ('<box label="Road" xtl="0" ytl="0" xbr="1" ybr="1"/>', "a box says nothing about pixels; draw it as polygon"),
        ('<polygon points="0,0;1,1;2,0"/>', "polygon has no label"),
        ('<polygon label="Road" points="0,0;x,1"/>', "expected numbers with commas between"),
        (
            '<mask label="Road" rle="0, 7" left="1" top="1" width="3" height="2"/>',
            "run lengths of 7 pixels; expected 6",
        ),
        ('<mask label="Road" rle="0, 6" left="7" top="1" width="3" height="2"/>', r"a mask at \(7, 1\) of 3×2 pixels"),
        ('<mask label="Road" rle="0, 6" left="?" top="1" width="3" height="2"/>', "left is '\\?'; expected a whole"),
        ("<polygon", "not a readable XML file"),
    ],
)
def test_damaged_xml_is_refused(body, match, tmp_path):
    with pytest.raises(ReturnedError, match=match):
        back(cvat(tmp_path / "x.xml", body), tmp_path, form="cvat")


def test_xml_with_entities_is_refused_before_they_are_read(tmp_path):
    bomb = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;"><!ENTITY x SYSTEM "file:///etc/passwd">]>'
    with pytest.raises(ReturnedError, match="XML with a document type, which can define entities without end"):
        back(cvat(tmp_path / "x.xml", '<polygon label="&b;&x;" points="0,0;1,1;2,0"/>', head=bomb), tmp_path)
    (tmp_path / "x.xml").write_text("<annotations><track/></annotations>")
    with pytest.raises(ReturnedError, match=r'it holds tracks, .* export the task as "CVAT for images 1.1"'):
        back(tmp_path / "x.xml", tmp_path)


def test_zips_that_lead_out_of_themselves_are_refused(tmp_path):
    for name in ("../x.json", "/etc/x.json", "a/../../x.json", "..\\x.json", "C:/x.json"):
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            archive.writestr(name, "{}")
        with pytest.raises(ReturnedError, match="a path that leads out of it; no labelling tool writes that"):
            back(tmp_path / "x.zip", tmp_path)
    assert not (tmp_path.parent / "x.json").exists()


def test_images_named_by_paths_are_looked_up_and_never_opened(tmp_path):
    (tmp_path / "secret.png").write_bytes(b"mine")
    with pytest.raises(
        ReturnedError, match=r"images: no such image: '../secret.png'; .*give their folder with --images"
    ):
        back(coco(tmp_path / "x.json", [("Road", [SQUARE])], name="../secret.png"), tmp_path)
    back(coco(tmp_path / "x.json", [("Road", [SQUARE])], name="../../elsewhere/a.png"), tmp_path)
    assert [p.name for p in (tmp_path / "set/images").iterdir()] == ["a.png"]


def test_damaged_files_are_refused(tmp_path):
    whole = tmp_path / "whole.zip"
    coco(tmp_path / "x.json", [("Road", [SQUARE])])
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "x.json", "annotations/x.json")
    data = whole.read_bytes()
    (tmp_path / "cut.zip").write_bytes(data[: len(data) // 2])
    (tmp_path / "flipped.zip").write_bytes(data[:60] + bytes([data[60] ^ 255]) + data[61:])
    for name in ("cut.zip", "flipped.zip"):
        with pytest.raises(ReturnedError, match="not a readable"):
            back(tmp_path / name, tmp_path)
    for text in ("{", '{"images": 3', "\ud800".encode("utf-8", "surrogatepass"), "[" * 100_000):
        (tmp_path / "x.json").write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(ReturnedError, match="not a readable JSON file"):
            back(tmp_path / "x.json", tmp_path)
    assert not (tmp_path / "set").exists()


def test_a_file_that_states_gigabytes_is_not_read(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.json", " " * 100_000)
    monkeypatch.setattr("trust_seg_ros.mining.returns.package._MOST_BYTES", 50_000)
    with pytest.raises(ReturnedError, match=r"JSON file of 0.0 GiB; expected at most"):
        back(tmp_path / "x.zip", tmp_path)


def test_what_is_of_no_form_or_of_several_asks_for_it(tmp_path):
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "notes.json").write_text("{}")
    with pytest.raises(
        ReturnedError, match=r"it is of no known form; say which it is with --from, .* holds notes.json"
    ):
        back(tmp_path / "e", tmp_path)
    for form, what in (
        ("coco", "no COCO file"),
        ("cvat", "no XML"),
        ("labelstudio", "no tasks"),
        ("yolo", "data.yaml"),
    ):
        with pytest.raises(ReturnedError, match=what):
            back(tmp_path / "e", tmp_path, form=form)
    coco(tmp_path / "e" / "c.json", [("Road", [SQUARE])])
    cvat(tmp_path / "e" / "c.xml", "")
    with pytest.raises(ReturnedError, match="it could be cvat or fiftyone or coco"):
        back(tmp_path / "e", tmp_path)
    with pytest.raises(ReturnedError, match="no such file or folder"):
        back(tmp_path / "nowhere", tmp_path)


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("0 0.5 0.5 0.2 0.2", "a box of 'Road', which says nothing about pixels"),
        ("9 0 0 1 0 1 1", r"class '9'; expected one of \[0, 1, 2, 3\] of data.yaml"),
        ("0 0 0 8 0 8 6", "expected three or more points in shares of the image"),
        ("0 0 0 1 0", "which says nothing|three or more points"),
        ("0 0 0 1 0 nan 1", "three or more points"),
    ],
)
def test_damaged_yolo_is_refused(line, match, tmp_path):
    write_export("yolo", [moment("a", np.zeros((6, 8)))], LABELS, tmp_path / "e", total=1)
    (tmp_path / "e/labels/a.txt").write_text(f"0 0 0 1 0 1 1\n\n{line}\n")
    with pytest.raises(ReturnedError, match=rf"a.txt:3: .*({match})"):
        back(tmp_path / "e", tmp_path)
    (tmp_path / "e/data.yaml").write_text("names: 3")
    with pytest.raises(ReturnedError, match="names are 3; expected a list of texts"):
        back(tmp_path / "e", tmp_path)
    (tmp_path / "e/data.yaml").unlink()
    with pytest.raises(ReturnedError, match="numbers alone do not say which class"):
        back(tmp_path / "e", tmp_path, form="yolo")


def test_one_image_labelled_twice_or_two_of_one_name_are_refused(tmp_path):
    path = coco(tmp_path / "x.json", [("Road", [SQUARE])])
    data = json.loads(path.read_text())
    data["images"].append({**data["images"][0], "id": 6, "file_name": "deeper/a.png"})
    data["annotations"].append({**data["annotations"][0], "id": 9, "image_id": 6})
    path.write_text(json.dumps(data))
    with pytest.raises(ReturnedError, match=r"'deeper/a.png' and 'a.png' are labels of one image \(a\)"):
        back(path, tmp_path)
    picture(tmp_path / "images" / "deeper")
    picture(tmp_path / "images" / "other")
    back(path, tmp_path)  # now both are there, each by its folder
    assert sorted(p.name for p in (tmp_path / "set" / "images").rglob("*.png")) == ["a.png", "a.png"]
    shutil.rmtree(tmp_path / "set")
    coco(path, [("Road", [SQUARE])], name="elsewhere/a.png")
    with pytest.raises(ReturnedError, match=r"3 images are called so \(.*other.*"):
        back(path, tmp_path)


def test_the_output_is_whole_or_not_there(tmp_path):
    export = coco(tmp_path / "x.json", [("Road", [SQUARE])])
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine").write_text("")
    with pytest.raises(ReturnedError, match="there is something already; expected a new or empty folder"):
        back(export, tmp_path)

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_labels(export, LABELS, tmp_path / "new", images=tmp_path / "images", progress=stop)
    assert not list(tmp_path.glob("*new*"))


def test_every_form_says_what_lies_on_top():
    assert all(row.count("|") == 3 for row in return_table().splitlines())
