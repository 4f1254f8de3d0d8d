"""COCO: images, and instances as run lengths, which pycocotools, CVAT, datumaro, Roboflow and many others read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trust_seg_ros.library.coco import annotation
from trust_seg_ros.mining.exports.form import Add, Classes, Entry, ExportForm, JsonItems, as_json, trust_of

FILE = Path("annotations", "instances_default.json")
"""Where CVAT and datumaro look for it."""


@contextmanager
def open_coco(folder: Path, classes: Classes) -> Iterator[Add]:
    """Every instance is one (``iscrowd`` 0)."""
    (folder / FILE).parent.mkdir()
    with write_coco(folder / FILE, classes) as add:
        yield add


@contextmanager
def write_coco(path: Path, classes: Classes, *, crowd: bool = False) -> Iterator[Add]:
    """Annotations are written as they come; the list of the images follows at the end of the file.

    Args:
        path: the JSON file.
        classes: the categories; their ids begin at 1.
        crowd: mark regions as crowds.
    """
    images: list[dict[str, Any]] = []
    count = 0
    with path.open("w", encoding="utf-8") as file:
        found = JsonItems(file, f"{_head(classes)},\n" + '"annotations": [')

        def add(entry: Entry) -> None:
            nonlocal count
            height, width = entry.size
            of_file = {"id": entry.number, "file_name": entry.file, "width": width, "height": height}
            images.append(of_file | entry.facts())
            for thing in entry.things:
                count += 1
                region = annotation(thing, entry.size, "rle")
                more = {"iscrowd": int(crowd), "attributes": trust_of(thing, classes)}
                found.add({"id": count, "image_id": entry.number} | region | more)

        yield add
        found.close(f'],\n"images": {as_json(images)}}}\n')


def _head(classes: Classes) -> str:
    categories = [{"id": k, "name": name, "supercategory": ""} for k, name in enumerate(classes.names, start=1)]
    parts = {"info": {"description": "trust_seg_ros"}, "licenses": [], "categories": categories}
    return as_json(parts)[:-1]


COCO = ExportForm(
    name="coco",
    tool="COCO",
    text="`annotations/instances_default.json`: run lengths of every segment, exact; trust in `attributes`",
    images="images",
    open=open_coco,
    steps=(
        "Make a project of your tool with the pictures of images/.",
        'Import annotations/instances_default.json as "COCO" (in CVAT: Upload annotations, COCO 1.0).',
        "Correct the labels and export them as COCO: a JSON file, or a zip that holds one.",
    ),
    returned="the JSON file, or a zip or folder with it",
)
