"""Label Studio: tasks with predictions of its brush, the labelling interface, and images as local files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from trust_seg_ros.library.things import Thing, finite
from trust_seg_ros.mining.exports.brush import packed
from trust_seg_ros.mining.exports.form import Add, Classes, Entry, ExportForm, JsonItems, trust_of

FILE = "tasks.json"
INTERFACE = "labelling_interface.xml"
URL = "/data/local-files/?d="
_MODEL = "trust_seg_ros"


@contextmanager
def open_labelstudio(folder: Path, classes: Classes) -> Iterator[Add]:
    """Tasks are written as they come."""
    (folder / INTERFACE).write_text(interface(classes), encoding="utf-8")
    with (folder / FILE).open("w", encoding="utf-8") as file:
        tasks = JsonItems(file)
        yield lambda entry: tasks.add(_task(entry, classes))
        tasks.close()


def interface(classes: Classes) -> str:
    """The labelling interface; what is known of an image is shown above it."""
    labels = "\n".join(
        f"    <Label value={quoteattr(name)} background={quoteattr(color)}/>"
        for name, color in zip(classes.names, classes.hex_colors(), strict=True)
    )
    return (
        '<View>\n  <Header value="$why"/>\n  <Image name="image" value="$image" zoom="true" zoomControl="true"/>\n'
        f'  <BrushLabels name="labels" toName="image">\n{labels}\n  </BrushLabels>\n</View>\n'
    )


def _task(entry: Entry, classes: Classes) -> dict[str, Any]:
    data = {"image": f"{URL}{quote(f'images/{entry.file}')}", **entry.facts()}
    result = [_region(number, thing, entry.size, classes) for number, thing in enumerate(entry.things)]
    prediction = {"model_version": _MODEL, "score": entry.moment.score, "result": result}
    return {"id": entry.number, "data": data, "predictions": [prediction]}


def _region(number: int, thing: Thing, size: tuple[int, int], classes: Classes) -> dict[str, Any]:
    known = {key: value for key, value in trust_of(thing, classes).items() if value is not None}
    words = [f"{key} {value}" for key, value in known.items() if value is not False]
    return {
        "id": f"{number:x}",
        "from_name": "labels",
        "to_name": "image",
        "type": "brushlabels",
        "original_width": size[1],
        "original_height": size[0],
        "image_rotation": 0,
        "score": finite(thing.confidence),
        "value": {"format": "rle", "rle": packed(thing.mask, thing.box, size), "brushlabels": [thing.class_name]},
        "meta": {"text": [", ".join(words)], **known},
    }


LABELSTUDIO = ExportForm(
    name="labelstudio",
    tool="Label Studio",
    text="`tasks.json` with a brush region for every segment, trust in its `meta` and rank in `data`; "
    "`labelling_interface.xml`",
    images="images",
    open=open_labelstudio,
    steps=(
        "Start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and …_DOCUMENT_ROOT=this folder; add "
        "images/ as local storage.",
        f"Paste {INTERFACE} as the labelling interface (Code), import {FILE}, and show predictions when labelling.",
        "Correct and submit the tasks; Export, JSON.",
    ),
    returned="the JSON file; tasks that nobody has submitted are left out",
)
