"""FiftyOne: COCO in the folders it looks for, and a program that loads it with the rank and reason of every image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trust_seg_ros.mining.exports.coco import write_coco
from trust_seg_ros.mining.exports.form import Add, Classes, ExportForm

FILE = Path("labels.json")
_PROGRAM = '''"""Load this folder into FiftyOne, as a dataset that stays, and show it: python load.py [NAME]"""

import json
import sys
from pathlib import Path

import fiftyone as fo

here = Path(__file__).resolve().parent
dataset = fo.Dataset.from_dir(
    dataset_dir=str(here),
    dataset_type=fo.types.COCODetectionDataset,
    label_types="segmentations",
    label_field="labels",
    name=sys.argv[1] if len(sys.argv) > 1 else here.name,
    persistent=True,
)
images = json.loads((here / "labels.json").read_text("utf-8"))["images"]
facts = {image["file_name"]: image for image in images}
for sample in dataset.iter_samples(autosave=True):
    found = facts[Path(sample.filepath).name]
    for name in ("rank", "why", "informative", "source", "stamp_ns"):
        sample[name] = found.get(name)
print(dataset)
if __name__ == "__main__":
    fo.launch_app(dataset.sort_by("rank")).wait()
'''


@contextmanager
def open_fiftyone(folder: Path, classes: Classes) -> Iterator[Add]:
    """COCO whose instances are crowds: only those leave FiftyOne as exact run lengths again."""
    (folder / "load.py").write_text(_PROGRAM, encoding="utf-8")
    with write_coco(folder / FILE, classes, crowd=True) as add:
        yield add


FIFTYONE = ExportForm(
    name="fiftyone",
    tool="FiftyOne",
    text="`data/` and `labels.json` (COCO); `load.py` makes a dataset of it, with rank and reason of every image",
    images="data",
    open=open_fiftyone,
    steps=(
        "python load.py shows the images, the most telling first; or load the folder as COCODetectionDataset.",
        'Correct the labels, here or with dataset.annotate("NAME", label_field="labels", …).',
        'dataset.export("EXPORT", dataset_type=fo.types.COCODetectionDataset, label_field="labels")',
    ),
    returned="the exported folder",
)
