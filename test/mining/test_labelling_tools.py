"""The tools' own libraries open the exports and see what the network saw; tools/labelling_loaders.sh installs them."""

import json
import os
import subprocess

import numpy as np
import pytest
from library_results import LABELS, blocks
from moments import moment, read_back, seen
from places import ROOT

from trust_seg_ros.mining.exports import write_export
from trust_seg_ros.mining.exports.form import Classes
from trust_seg_ros.mining.returns import write_labels

NAMES = list(Classes.of(LABELS).names)
MOMENTS = [moment("a b", blocks(), unknown=blocks(3) == 0), moment("ä", blocks(7), rank=2)]


def exported(form, folder):
    write_export(form, iter(MOMENTS), LABELS, folder, total=2)
    return folder


def opened(loader, export, out, more="", venv=".loaders"):
    """What the library sees: names of classes, name -> label map, attributes of regions."""
    python = ROOT / venv / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{venv} with the labelling tools' libraries is missing; tools/labelling_loaders.sh makes it")
    script = ROOT / "test" / "helpers" / "labelling_loaders.py"
    environment = {**os.environ, "HOME": str(out.parent), "FIFTYONE_DO_NOT_TRACK": "1", "PYTHONNOUSERSITE": "1"}
    environment["LD_LIBRARY_PATH"] = str(ROOT / venv / "openssl")  # of FiftyOne's database
    words = [str(python), str(script), loader, str(export), str(out), str(more)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, cwd=out.parent, timeout=300)
    if "failed to bind to port" in done.stderr:
        pytest.skip("FiftyOne's database does not start here")
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(out.with_name(f"{out.name}.json").read_text("utf-8"))
    arrays = np.load(out)
    found = {name.removeprefix("image "): arrays[name] for name in arrays.files}
    return told["names"], found, told["attributes"]


def check(names, found):
    assert names[: len(NAMES)] == NAMES
    assert found.keys() == {one.name for one in MOMENTS}
    for one in MOMENTS:
        assert (found[one.name] == seen(one)).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loader", "form", "more"),
    [
        ("datumaro", "cvat", "cvat"),
        ("datumaro", "coco", "coco"),
        ("cvat", "cvat", ""),
        ("label_studio", "labelstudio", ""),
    ],
)
def test_libraries_of_the_tools_see_the_class_map(loader, form, more, tmp_path):
    names, found, attributes = opened(loader, exported(form, tmp_path / "export"), tmp_path / "out.npz", more)
    check(names, found)
    if loader != "cvat":
        known = {round(float(one["p_wrong"]), 4) for one in attributes if one.get("p_wrong") not in (None, "")}
        assert known == {round(s.p_wrong, 4) for one in MOMENTS for s in one.result.segments}


@pytest.mark.slow
def test_fiftyone_loads_and_gives_back(tmp_path):
    export = exported("fiftyone", tmp_path / "export")
    names, found, attributes = opened(
        "fiftyone", export, tmp_path / "out.npz", tmp_path / "back", venv=".loaders_fiftyone"
    )
    check(names, found)
    assert [one["rank"] for one in attributes if "rank" in one] == [1, 2]
    assert any(one.get("unknown") for one in attributes)
    write_labels(tmp_path / "back", LABELS, tmp_path / "set")
    back = read_back(tmp_path / "set", [one.name for one in MOMENTS])
    assert all((back[one.name] == seen(one)).all() for one in MOMENTS)


@pytest.mark.parametrize("form", ["coco", "fiftyone"])
def test_pycocotools_sees_the_class_map(form, tmp_path):
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    (file,) = exported(form, tmp_path / "export").rglob("*.json")
    data = coco.COCO(str(file))
    found = {}
    for number, image in data.imgs.items():
        values = np.full((image["height"], image["width"]), 255, np.uint8)
        for region in data.loadAnns(data.getAnnIds(imgIds=[number])):
            mask = data.annToMask(region).astype(bool)
            assert region["area"] == mask.sum()
            assert region["iscrowd"] == (form == "fiftyone")
            values[mask] = region["category_id"] - 1
        found[image["file_name"].removesuffix(".png")] = values
    check([c["name"] for c in data.loadCats(data.getCatIds())], found)


def test_supervision_opens_yolo(tmp_path):
    """It fills a polygon with its border and the lines that join pieces: a pixel more all around."""
    sv = pytest.importorskip("supervision", reason="supervision is not installed")
    export = exported("yolo", tmp_path / "export")
    data = sv.DetectionDataset.from_yolo(
        str(export / "images"), str(export / "labels"), str(export / "data.yaml"), force_masks=True
    )
    assert data.classes == NAMES
    found = {path.rpartition("/")[2]: detections for path, _, detections in data}
    for one in MOMENTS:
        detections = found[f"{one.name}.png"]
        things = [*one.result.segments, *one.result.unknown_objects]
        assert len(detections) == len(things)
        for mask, class_id, thing in zip(detections.mask, detections.class_id, things, strict=True):
            assert mask[thing.mask].all()
            assert class_id == getattr(thing, "class_id", len(LABELS))
