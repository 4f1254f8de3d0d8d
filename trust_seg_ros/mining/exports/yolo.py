"""YOLO: a text file of polygons beside each image, as Ultralytics, Roboflow's supervision and others read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import yaml

from trust_seg_ros.library.masks import one_ring, polygons
from trust_seg_ros.library.things import Thing
from trust_seg_ros.mining.exports.form import Add, Classes, Entry, ExportForm

FILE = "data.yaml"
LABELS = "labels"
_DIGITS = 7  # a hundredth of a pixel of an image of 100,000


@contextmanager
def open_yolo(folder: Path, classes: Classes) -> Iterator[Add]:
    """One text file for every image, empty where nothing was found."""
    (folder / LABELS).mkdir()
    content = {"path": ".", "train": "images", "val": "images", "names": dict(enumerate(classes.names))}
    (folder / FILE).write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")

    def add(entry: Entry) -> None:
        text = "".join(_line(thing, entry.size) for thing in entry.things)
        (folder / LABELS / f"{Path(entry.file).stem}.txt").write_text(text, encoding="utf-8")

    yield add


def _line(thing: Thing, size: tuple[int, int]) -> str:
    """Class and corners in shares of the image. Holes and pieces are joined to one line around all of them."""
    ring = one_ring(polygons(thing.mask, thing.box, holes=True))
    shares = np.round(ring / [size[1], size[0]], _DIGITS).ravel().tolist()
    return " ".join(map(str, [thing.class_id, *shares])) + "\n"


YOLO = ExportForm(
    name="yolo",
    tool="YOLO",
    text="`data.yaml`, and `labels/NAME.txt` with a polygon a line, in shares of the image; no trust: it has no place",
    images="images",
    open=open_yolo,
    steps=(
        "Import the folder (as zip, where your tool wants one) as YOLO segmentation: data.yaml names the classes.",
        "A polygon that joins pieces or goes around holes does so by lines of no width; leave them.",
        "Correct the labels and export them as YOLO segmentation, with data.yaml.",
    ),
    returned="the folder or zip with data.yaml and labels/",
)
