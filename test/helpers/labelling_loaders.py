"""Opens exports with the libraries of the labelling tools, in an interpreter of their own: LOADER EXPORT OUT.npz.

Writes what each image looks like there: name -> (H, W) uint8, number of the class in ``classes``, 255 = none.
"""

import json
import sys
from pathlib import Path
from urllib.parse import unquote

import numpy as np


def datumaro(export, form):
    import datumaro as dm

    dataset = dm.Dataset.import_from(str(export), form)
    names = [label.name for label in dataset.categories()[dm.AnnotationType.label]]
    found = {}
    for item in dataset:
        values = np.full(item.media.data.shape[:2], 255, np.uint8)
        kinds = (dm.AnnotationType.mask, dm.AnnotationType.polygon)
        for one in sorted((a for a in item.annotations if a.type in kinds), key=lambda a: (a.z_order, a.id)):
            values[mask_of(dm, one, values.shape)] = one.label
        found[Path(item.id).name] = values
    attributes = [a.attributes for item in dataset for a in item.annotations if a.type == dm.AnnotationType.mask]
    return names, found, attributes


def mask_of(dm, one, size):
    """Run lengths as datumaro decodes them; polygons as pycocotools fills them."""
    if one.type == dm.AnnotationType.mask:
        return np.asarray(one.image, bool)
    from pycocotools import mask as coco

    return coco.decode(coco.merge(coco.frPyObjects([one.points], *size))).astype(bool)


def label_studio(export, _):
    from label_studio_sdk._extensions.label_studio_tools.core.label_config import parse_config
    from label_studio_sdk.converter.brush import decode_rle

    config = parse_config((export / "labelling_interface.xml").read_text("utf-8"))
    names = list(config["labels"]["labels"])
    found, attributes = {}, []
    for task in json.loads((export / "tasks.json").read_text("utf-8")):
        result = task["predictions"][0]["result"]
        values = None
        for region in result:
            size = region["original_height"], region["original_width"]
            values = np.full(size, 255, np.uint8) if values is None else values
            mask = decode_rle(region["value"]["rle"]).reshape(*size, 4)[:, :, 3] > 0
            values[mask] = names.index(region["value"]["brushlabels"][0])
            attributes.append(region["meta"])
        found[Path(unquote(task["data"]["image"])).stem] = values
    return names, found, attributes


def cvat(export, _):
    from xml.etree import ElementTree

    from cvat_sdk.masks import decode_mask

    root = ElementTree.parse(export / "annotations.xml").getroot()
    names = [label.findtext("name") for label in root.iter("label")]
    found = {}
    for image in root.iter("image"):
        values = np.full((int(image.get("height")), int(image.get("width"))), 255, np.uint8)
        for mask in image.iter("mask"):
            left, top, width, height = (int(mask.get(key)) for key in ("left", "top", "width", "height"))
            points = [*map(int, mask.get("rle").split(",")), left, top, left + width - 1, top + height - 1]
            bitmap = decode_mask(points, image_width=values.shape[1], image_height=values.shape[0])
            values[bitmap.astype(bool)] = names.index(mask.get("label"))
        found[Path(image.get("name")).stem] = values
    return names, found, []


def fiftyone(export, back):
    import runpy

    import fiftyone as fo

    sys.argv = ["load.py", "trust-seg-test"]
    if "trust-seg-test" in fo.list_datasets():
        fo.delete_dataset("trust-seg-test")
    dataset = runpy.run_path(str(export / "load.py"), run_name="load")["dataset"]
    names = dataset.default_classes
    found, attributes = {}, []
    dataset.compute_metadata()
    for sample in dataset.sort_by("rank"):
        values = np.full((sample.metadata.height, sample.metadata.width), 255, np.uint8)
        for one in sample["labels"].detections if sample["labels"] else []:
            x, y, w, h = (round(s * t) for s, t in zip(one.bounding_box, values.shape[::-1] * 2, strict=True))
            values[y : y + h, x : x + w][one.mask.astype(bool)] = names.index(one.label)
            attributes.append({key: one.get_attribute_value(key) for key in ("p_wrong", "unreliable", "unknown")})
        found[Path(sample.filepath).stem] = values
        attributes.append({"why": sample["why"], "rank": sample["rank"]})
    if back:
        dataset.export(back, dataset_type=fo.types.COCODetectionDataset, label_field="labels")
    return names, found, attributes


LOADERS = {"datumaro": datumaro, "label_studio": label_studio, "cvat": cvat, "fiftyone": fiftyone}

if __name__ == "__main__":
    loader, export, out, more = (*sys.argv[1:], "")[:4]
    names, found, attributes = LOADERS[loader](Path(export), more)
    np.savez(out, **{f"image {name}": values for name, values in found.items()})
    Path(f"{out}.json").write_text(json.dumps({"names": names, "attributes": attributes}, default=str), "utf-8")
