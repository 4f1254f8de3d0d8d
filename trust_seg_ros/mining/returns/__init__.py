"""Labels that come back from labelling tools, as a data set: every form is a row of :data:`RETURNS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from trust_seg_ros.mining.returns.classes import Classes
from trust_seg_ros.mining.returns.coco import is_coco, read_coco
from trust_seg_ros.mining.returns.cvat import is_cvat, read_cvat
from trust_seg_ros.mining.returns.data_set import Labelled, write_data_set
from trust_seg_ros.mining.returns.errors import ReturnedError
from trust_seg_ros.mining.returns.form import ReturnForm
from trust_seg_ros.mining.returns.images import Images
from trust_seg_ros.mining.returns.labelstudio import is_labelstudio, read_labelstudio
from trust_seg_ros.mining.returns.package import Package, opened
from trust_seg_ros.mining.returns.yolo import is_yolo, read_yolo
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.support.nearest import unknown

__all__ = ["RETURNS", "Labelled", "ReturnForm", "ReturnedError", "return_table", "write_labels"]

_LATER = "the later one in the file"
RETURNS: dict[str, ReturnForm] = {
    form.name: form
    for form in (
        ReturnForm(
            name="cvat", recognise=is_cvat, read=read_cvat, overlap=f"that of the higher z_order, then {_LATER}"
        ),
        ReturnForm(name="labelstudio", recognise=is_labelstudio, read=read_labelstudio, overlap=_LATER),
        ReturnForm(name="fiftyone", recognise=is_coco, read=read_coco, overlap=_LATER),
        ReturnForm(name="coco", recognise=is_coco, read=read_coco, overlap=_LATER),
        ReturnForm(name="yolo", recognise=is_yolo, read=read_yolo, overlap="that of the later line"),
    )
}
"""Every form by its name, as in ``mining.exports.EXPORTS``."""


def write_labels(
    export: Path,
    labels: LabelSet,
    out: Path,
    *,
    form: str | None = None,
    images: Path | None = None,
    renamed: Mapping[str, str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Labelled:
    """Write what came back as a data set that every command reads; ``out`` is there only once it is complete.

    Pixels that no region covers have no class (255). Unknown objects have none either, and are marked in
    ``labels_masks/``, so that the folder is one with unknown objects, too, where there are any. Images without a region
    are left out.

    Args:
        export: folder, zip or file that the tool exported.
        labels: the classes; regions are matched by name.
        out: a new or empty folder.
        form: one of :data:`RETURNS`; None: the one that the files are of.
        images: folder of the images; None: they are in the export.
        renamed: other names of classes in the export -> names in ``labels``, "unknown object", or "ignore".
        progress: called with the number of images written.

    Raises:
        ReturnedError: a file is damaged or of another form, an image is missing or of another size, a name is no class.
    """
    if form is not None and form not in RETURNS:
        raise ReturnedError(unknown("form of export", form, RETURNS))
    classes = Classes(labels, renamed or {})
    export = Path(export).expanduser()
    with opened(export) as package:
        chosen = RETURNS[form] if form is not None else recognised(package)
        if images is None:
            return write_data_set(chosen.name, chosen.read(package), Images(package), classes, out, progress)
        with opened(Path(images).expanduser()) as folder:
            return write_data_set(chosen.name, chosen.read(package), Images(folder), classes, out, progress)


def recognised(package: Package) -> ReturnForm:
    """The form that files are of.

    Raises:
        ReturnedError: none, or several.
    """
    found = [form for form in RETURNS.values() if form.recognise(package)]
    if len({form.read for form in found}) == 1:
        return found[-1]
    what = f"could be {' or '.join(form.name for form in found)}" if found else "is of no known form"
    raise ReturnedError(
        f"{package.path}: it {what}; say which it is with --from, one of {', '.join(RETURNS)}. It holds "
        f"{', '.join(package.names[:12]) or 'nothing'}"
    )


def return_table() -> str:
    """The table of overlaps in docs/labels.md."""
    rows = ["| `--from` | where two regions overlap, what lies on top |", "|---|---|"]
    rows += [f"| `{form.name}` | {form.overlap} |" for form in RETURNS.values()]
    return "\n".join(rows) + "\n"
