"""CVAT: "CVAT for images 1.1", with a mask for every region, and the specification of the labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

from trust_seg_ros.library.things import Thing
from trust_seg_ros.mining.exports.form import Add, Classes, Entry, ExportForm, as_json, row_lengths, trust_of

FILE = "annotations.xml"
SPECIFICATION = "cvat_labels.json"
IMAGE_TAG = "trust_seg"
"""Label of the tag that says why an image is there."""
_NUMBERS = ("p_wrong", "iou", "p_ood")
_FACTS = ("rank", "why", "informative", "source", "stamp_ns")
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@contextmanager
def open_cvat(folder: Path, classes: Classes) -> Iterator[Add]:
    """The XML is written image by image."""
    (folder / SPECIFICATION).write_text(as_json(specification(classes)), encoding="utf-8")
    with (folder / FILE).open("w", encoding="utf-8", newline="\n") as file:
        xml = XMLGenerator(file, encoding="utf-8", short_empty_elements=True)
        xml.startDocument()
        _begin(xml, "annotations")
        _text(xml, "version", "1.1")
        _meta(xml, classes)

        def add(entry: Entry) -> None:
            height, width = entry.size
            head = {"id": entry.number - 1, "name": entry.file, "width": width, "height": height}
            _begin(xml, "image", head)
            _element(xml, "tag", {"label": IMAGE_TAG, "source": "auto"}, entry.facts())
            for thing in entry.things:
                known = trust_of(thing, classes)
                unknown = known.pop("unknown")
                _element(xml, "mask", _mask(thing) | {"z_order": int(unknown)}, known)
            xml.endElement("image")
            xml.characters("\n")

        yield add
        xml.endElement("annotations")
        xml.endDocument()


def specification(classes: Classes) -> list[dict[str, Any]]:
    """The labels, as the constructor of a task takes them."""
    text = {"mutable": False, "input_type": "text", "default_value": "", "values": [""]}
    flag = {"mutable": False, "input_type": "checkbox", "default_value": "false", "values": ["false"]}
    trust = [{"name": name, **text} for name in _NUMBERS] + [{"name": "unreliable", **flag}]
    labels: list[dict[str, Any]] = [
        {"name": name, "color": color, "type": "any", "attributes": trust}
        for name, color in zip(classes.names, classes.hex_colors(), strict=True)
    ]
    facts = [{"name": name, **text} for name in _FACTS]
    return [*labels, {"name": IMAGE_TAG, "color": "#808080", "type": "tag", "attributes": facts}]


def _meta(xml: XMLGenerator, classes: Classes) -> None:
    for name in ("meta", "task", "labels"):
        _begin(xml, name)
    for label in specification(classes):
        _begin(xml, "label")
        for key in ("name", "color", "type"):
            _text(xml, key, label[key])
        _begin(xml, "attributes")
        for attribute in label["attributes"]:
            _begin(xml, "attribute")
            for key in ("name", "mutable", "input_type", "default_value"):
                _text(xml, key, attribute[key])
            _text(xml, "values", "\n".join(attribute["values"]))
            xml.endElement("attribute")
        xml.endElement("attributes")
        xml.endElement("label")
    for name in ("labels", "task", "meta"):
        xml.endElement(name)
    xml.characters("\n")


def _mask(thing: Thing) -> dict[str, Any]:
    """Run lengths along the rows of the box; the first counts zeros."""
    left, top, right, bottom = thing.box
    place = {"left": left, "top": top, "width": right - left, "height": bottom - top}
    runs = ", ".join(map(str, row_lengths(thing.mask)))
    return {"label": thing.class_name, "source": "auto", "occluded": 0, "rle": runs, **place}


def _element(xml: XMLGenerator, name: str, head: dict[str, Any], attributes: dict[str, Any]) -> None:
    _begin(xml, name, head)
    for key, value in attributes.items():
        _begin(xml, "attribute", {"name": key})
        xml.characters(_word(value))
        xml.endElement("attribute")
    xml.endElement(name)
    xml.characters("\n")


def _text(xml: XMLGenerator, name: str, value: Any) -> None:
    _begin(xml, name)
    xml.characters(_word(value))
    xml.endElement(name)


def _begin(xml: XMLGenerator, name: str, head: dict[str, Any] | None = None) -> None:
    xml.startElement(name, AttributesImpl({key: _word(value) for key, value in (head or {}).items()}))


def _word(value: Any) -> str:
    """A value as XML can hold it; truth in lower case."""
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)


CVAT = ExportForm(
    name="cvat",
    tool="CVAT",
    text='`annotations.xml` ("CVAT for images 1.1") with a mask for every region, trust as attributes, rank and reason '
    "in a tag; `cvat_labels.json`, the labels of the task",
    images="images",
    open=open_cvat,
    steps=(
        f"Create a task: paste {SPECIFICATION} into the labels (Raw), and add the pictures of images/.",
        f'Actions, Upload annotations, "CVAT 1.1": {FILE}.',
        'Correct the labels; Actions, Export task dataset, "CVAT for images 1.1".',
    ),
    returned="the zip, or the XML file in it",
)
