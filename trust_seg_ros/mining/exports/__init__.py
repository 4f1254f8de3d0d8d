"""Moments as files of labelling tools: every form is a row of :data:`EXPORTS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from trust_seg_ros.library.errors import ExportError
from trust_seg_ros.library.things import things
from trust_seg_ros.mining.exports.coco import COCO
from trust_seg_ros.mining.exports.cvat import CVAT
from trust_seg_ros.mining.exports.fiftyone import FIFTYONE
from trust_seg_ros.mining.exports.form import Add, Classes, Entry, ExportForm
from trust_seg_ros.mining.exports.labelstudio import LABELSTUDIO
from trust_seg_ros.mining.exports.pictures import check_name, write_picture
from trust_seg_ros.mining.exports.yolo import YOLO
from trust_seg_ros.mining.moment import Moment
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.support.nearest import unknown
from trust_seg_ros.support.reading import shown
from trust_seg_ros.support.resumable import whole_folder
from trust_seg_ros.types import Json

__all__ = ["EXPORTS", "ExportForm", "Progress", "Written", "export_table", "write_export"]

Progress = Callable[[int, int], None]
"""Images done, images in all."""
LABEL_SET = "label_set.yaml"
"""The classes, as ``--labels`` takes them, in every export."""
EXPORTS: dict[str, ExportForm] = {form.name: form for form in (CVAT, LABELSTUDIO, FIFTYONE, COCO, YOLO)}
"""Every form by its name; a new one is a file and a row."""


@dataclass(frozen=True)
class Written:
    """A complete export.

    Attributes:
        out: its folder.
        to: name of its form.
        images, segments, unknown_objects: how many there are.
    """

    out: Path
    to: str
    images: int
    segments: int
    unknown_objects: int


def write_export(
    to: str,
    moments: Iterable[Moment],
    labels: LabelSet,
    out: Path,
    *,
    total: int,
    progress: Progress | None = None,
) -> Written:
    """Write moments for a labelling tool; ``out`` is there only once it is complete.

    Images are PNG, or copies of the JPEG or PNG files that frames were read from. Segments, and unknown objects on top
    of them, are pre-labels. One moment is in memory at a time.

    Args:
        to: name of a form, one of :data:`EXPORTS`.
        moments: in the order of writing; any iterator.
        labels: classes of the network.
        out: a new or empty folder.
        total: how many moments there will be, for ``progress``.
        progress: called after every image.

    Raises:
        ExportError: no such form, ``out`` has content or cannot be written, there are no moments, two have one name, a
            name cannot be that of a file, or a result has other classes or no segments.
    """
    if to not in EXPORTS:
        raise ExportError(unknown("form of export", to, EXPORTS))
    form, out = EXPORTS[to], Path(out).expanduser().absolute()
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ExportError(f"{out}: there is something already; expected a new or empty folder")
        with whole_folder(out, out.with_name(f".{out.name}.part")) as folder:
            (folder / form.images).mkdir(parents=True)
            (folder / LABEL_SET).write_text(_label_set(labels), encoding="utf-8")
            (folder / "README.txt").write_text(readme(form), encoding="utf-8")
            with form.open(folder, Classes.of(labels)) as add:
                return _filled(folder / form.images, add, moments, labels, Written(out, to, 0, 0, 0), total, progress)
    except OSError as error:
        raise ExportError(
            f"{out} cannot be written ({error.strerror or error}); expected a folder you may write to, with space left"
        ) from error


def _filled(
    images: Path,
    add: Add,
    moments: Iterable[Moment],
    labels: LabelSet,
    written: Written,
    total: int,
    progress: Progress | None,
) -> Written:
    names: dict[str, int] = {}
    count = [0, 0]
    for number, moment in enumerate(moments, start=1):
        name = check_name(moment.name)
        if name in names:
            raise ExportError(
                f"moments {names[name]} and {number} are both called {shown(name)}; expected different names"
            )
        if moment.result.labels.names != labels.names:
            raise ExportError(
                f"moment {shown(name)} has the classes of {moment.result.labels.name!r}, others than the export's "
                f"({labels.name!r}); expected results of one network"
            )
        names[name] = number
        found = tuple(things(moment.result, "an export"))
        count[0] += sum(thing.class_id < len(labels) for thing in found)
        count[1] += sum(thing.class_id >= len(labels) for thing in found)
        add(Entry(number, write_picture(images, name, moment), moment.result.size, moment, found))
        if progress is not None:
            progress(number, max(number, total))
    if not names:
        raise ExportError("there is nothing to write: no moment was chosen; expected at least one")
    return Written(written.out, written.to, len(names), *count)


def readme(form: ExportForm) -> str:
    """README.txt of an export."""
    steps = "\n".join(f"{number}. {step}" for number, step in enumerate(form.steps, start=1))
    return (
        f"Frames to label with {form.tool}, pre-labelled by trust_seg_ros.\n\n{steps}\n\n"
        f"Back to a data set that trust-seg fit, calibrate, finetune and evaluate read ({form.returned}):\n\n"
        f"  trust-seg labels EXPORT --from {form.name} --images {form.images} --labels {LABEL_SET} --out DATASET\n\n"
        "p_wrong: probability that a region is wrong; iou: how well it is expected to fit; p_ood: probability that an\n"
        "unknown object is one; rank 1: label this first. What lies later in a file lies on top.\n"
    )


def export_table() -> str:
    """The table of forms in docs/labels.md."""
    rows = ["| `--to`, `--from` | tool | what is written |", "|---|---|---|"]
    rows += [f"| `{form.name}` | {form.tool} | {form.text} |" for form in EXPORTS.values()]
    return "\n".join(rows) + "\n"


def _label_set(labels: LabelSet) -> str:
    classes = [{"name": n, "color": c} for n, c in zip(labels.names, labels.palette.tolist(), strict=True)]
    content: Json = {"name": labels.name, "classes": classes}
    if labels.ignore is not None:
        content["ignore"] = labels.ignore
    return yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
